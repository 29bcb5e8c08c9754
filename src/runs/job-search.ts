// Finds jobs in a long history. There is no index for each filter, so the history is read backwards in ranges of job
// numbers, for a limited time.

import { type Kysely, type RawBuilder, sql } from 'kysely';
import { dialectOf, idList } from '../store/dialect.js';
import type { Database } from '../store/schema.js';
import { type Job, type JobStatus, jobFromRow } from './job.js';

export interface JobSearch {
  readonly ruleId?: number | undefined;
  /** Only jobs with one of these statuses; empty for all. */
  readonly statuses: readonly JobStatus[];
  /** Only jobs that started at or after this. */
  readonly since?: Date | undefined;
  /** Only jobs that started before this. */
  readonly until?: Date | undefined;
  /** In the message, the arguments, or the name of the rule or procedure; case does not matter. */
  readonly text?: string | undefined;
  /** Whether the text is looked for in arguments, too. */
  readonly inArgs: boolean;
  /** Only jobs with a lower number. */
  readonly before?: number | undefined;
  readonly limit: number;
}

export interface FoundJobs {
  /** The newest first. */
  readonly jobs: readonly Job[];
  /** The job at which the next page goes on; null when there are no more, or the search was cut. */
  readonly next: number | null;
  /** How far a search got whose time ran out; null for a complete one. */
  readonly searchedTo: Date | null;
}

/** The statuses that have an index. */
const notDone: readonly JobStatus[] = ['failed', 'timeout', 'lost', 'cancelled'];
/** SQLite uses the index for a query with the same words. */
export const isNotDone = sql<boolean>`status in ('failed', 'timeout', 'lost', 'cancelled')`;

const searchMs = 100;
/** SQLite blocks the process while it reads a range. */
const rangeMs = 20;
const firstRange = 2000;

export async function searchJobs(db: Kysely<Database>, search: JobSearch): Promise<FoundJobs> {
  const { since, until, before = Number.MAX_SAFE_INTEGER, limit } = search;
  const { lowest, highest } = await bounds(db);
  const first = since === undefined ? lowest : await firstJobSince(db, since.getTime() - clockStepMs);
  const last = until === undefined ? highest : await firstJobSince(db, until.getTime() + clockStepMs);
  const rulesWithText = await rulesWith(db, search.text ?? '');
  const among = search.statuses.join() === 'running' ? await runningJobs(db) : undefined;
  const jobs: Job[] = [];
  const giveUpAt = performance.now() + searchMs;
  let range = among === undefined ? firstRange : Number.MAX_SAFE_INTEGER;
  for (let end = Math.min(before, last + 1); end > first; ) {
    const startedAt = performance.now();
    if (startedAt > giveUpAt) return { jobs, next: null, searchedTo: await startOf(db, end) };
    const begin = Math.max(first, end - range);
    const found = await inRange(db, search, { begin, end, limit: limit - jobs.length, rulesWithText, among });
    jobs.push(...found);
    const last = jobs.at(-1);
    if (jobs.length === limit && last !== undefined) return { jobs, next: last.id, searchedTo: null };
    if (performance.now() - startedAt < rangeMs / 2) range *= 2;
    end = begin;
    // Lets others use the process.
    await new Promise(setImmediate);
  }
  return { jobs, next: null, searchedTo: null };
}

interface Range {
  readonly begin: number;
  /** Behind the last one. */
  readonly end: number;
  readonly limit: number;
  readonly rulesWithText: readonly number[];
  /** The only jobs that can match, when they are few. */
  readonly among: readonly number[] | undefined;
}

function contains(db: Kysely<Database>, column: string, text: string): RawBuilder<boolean> {
  const like = sql.raw(dialectOf(db) === 'postgres' ? 'ilike' : 'like');
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`;
  return sql<boolean>`${sql.ref(column)} ${like} ${pattern} escape '\\'`;
}

/** The condition that the name or procedure of a rule contains a text. */
export function isRuleWith(db: Kysely<Database>, text: string): RawBuilder<boolean> {
  return sql<boolean>`(${contains(db, 'name', text)} or ${contains(db, 'procedure', text)})`;
}

async function rulesWith(db: Kysely<Database>, text: string): Promise<number[]> {
  if (text === '') return [];
  const rows = await db.selectFrom('job_rules').select('id').where(isRuleWith(db, text)).execute();
  return rows.map(({ id }) => id);
}

async function inRange(
  db: Kysely<Database>,
  search: JobSearch,
  { begin, end, limit, rulesWithText, among }: Range,
): Promise<Job[]> {
  const { ruleId, statuses, since, until, text = '', inArgs } = search;
  let query = db.selectFrom('jobs').selectAll().where('id', '>=', begin).where('id', '<', end);
  if (among !== undefined) query = query.where('id', 'in', idList(db, among));
  if (ruleId !== undefined) query = query.where('rule_id', '=', ruleId);
  if (statuses.length > 0) query = query.where('status', 'in', statuses);
  if (statuses.length > 0 && statuses.every((status) => notDone.includes(status)))
    query = query.where(isNotDone);
  if (since !== undefined) query = query.where('start_datetime', '>=', since.getTime());
  if (until !== undefined) query = query.where('start_datetime', '<', until.getTime());
  if (text !== '') {
    query = query.where((eb) =>
      eb.or([
        contains(db, 'message', text),
        ...(inArgs ? [contains(db, 'args', text)] : []),
        eb('rule_id', 'in', idList(db, rulesWithText)),
      ]),
    );
  }
  return (await query.orderBy('id', 'desc').limit(limit).execute()).map(jobFromRow);
}

/** They have an index, but not one by job numbers. */
async function runningJobs(db: Kysely<Database>): Promise<number[]> {
  const rows = await db.selectFrom('jobs').select('id').where('status', '=', 'running').execute();
  return rows.map(({ id }) => id);
}

/** Jobs are numbered as they start, except around a step of a clock, of which at most so much is expected. */
export const clockStepMs = 3_600_000;

/**
 * The number of the first job that started at an instant or later, found without reading the history; one more than the
 * last number for none.
 */
export async function firstJobSince(db: Kysely<Database>, at: number): Promise<number> {
  const { lowest, highest } = await bounds(db);
  let [low, high] = [lowest, highest + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    // The numbers have gaps.
    const row = await db
      .selectFrom('jobs')
      .select(['id', 'start_datetime'])
      .where('id', '>=', middle)
      .orderBy('id')
      .limit(1)
      .executeTakeFirst();
    if (row !== undefined && row.start_datetime < at) low = row.id + 1;
    else high = middle;
  }
  return low;
}

async function bounds(db: Kysely<Database>): Promise<{ readonly lowest: number; readonly highest: number }> {
  const row = await sql<{ lowest: number | null; highest: number | null }>`
    select (select min(id) from jobs) as lowest, (select max(id) from jobs) as highest`.execute(db);
  const { lowest, highest } = row.rows[0] ?? { lowest: null, highest: null };
  return { lowest: lowest ?? 0, highest: highest ?? 0 };
}

async function startOf(db: Kysely<Database>, id: number): Promise<Date | null> {
  const row = await db
    .selectFrom('jobs')
    .select('start_datetime')
    .where('id', '>=', id)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : new Date(row.start_datetime);
}
