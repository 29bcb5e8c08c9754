// The ledger's entries about a rule, each with its job, and the summaries of old ones.

import { type Kysely, sql } from 'kysely';
import { ranBefore } from '../../rules/ledger.js';
import { isReason, type Reason, reasons } from '../../rules/reasons.js';
import { type Job, jobFromRow } from '../../runs/job.js';
import { idList } from '../../store/dialect.js';
import type { Database, DecisionRow } from '../../store/schema.js';
import { numbersBetween } from './numbers-between.js';

/** A decision about a rule, as the ledger has it. */
export interface LedgerEntry {
  readonly id: number;
  readonly reason: Reason;
  readonly dueAt: Date | null;
  /** The last of several due times; null for one. */
  readonly dueUntil: Date | null;
  /** How many due times it covers. */
  readonly times: number;
  readonly detail: string;
  readonly decidedAt: Date;
  /** A worker, or a person. */
  readonly by: string;
  readonly requestId: number | null;
  /** The resulting job; null where nothing ran, or the job has been deleted. */
  readonly job: Job | null;
}

/** Selects entries; of these, the newest are read. */
export interface EntryFilter {
  /** Only entries decided at or after this. */
  readonly since?: Date;
  /** Only entries about this due time, or about a range that contains it. */
  readonly dueAt?: Date;
  /** Only entries about this period, in ms since 1970. */
  readonly between?: readonly [from: number, to: number];
  readonly limit: number;
}

/** The newest entries about a rule, the oldest first. */
export async function readEntries(
  db: Kysely<Database>,
  ruleId: number,
  { since, dueAt, between, limit }: EntryFilter,
): Promise<LedgerEntry[]> {
  let query = db
    .selectFrom('decisions')
    .selectAll()
    .where('rule_id', '=', ruleId)
    // Skips the entries of workers that came too late for a claim: nothing happened to the rule.
    .where((eb) => eb.or([eb('reason', '<>', 'taken'), eb('detail', 'like', `${ranBefore}%`)]));
  if (since !== undefined) query = query.where('decided_at', '>=', since.getTime());
  if (dueAt !== undefined) {
    const at = dueAt.getTime();
    query = query
      .where('due_at', '<=', at)
      .where((eb) => eb.or([eb('due_at', '=', at), eb('due_until', '>=', at)]));
  }
  if (between !== undefined) {
    const [from, to] = between;
    const [first, last] = await numbersBetween(
      db,
      { table: 'decisions', column: 'decided_at' },
      ruleId,
      between,
    );
    const at = sql<number>`coalesce(due_at, decided_at)`;
    query = query
      .where('id', '>=', first)
      .where('id', '<=', last)
      .where(({ eb, and, or }) =>
        or([
          and([eb(at, '>=', from), eb(at, '<=', to)]),
          and([eb('due_at', '<=', to), eb('due_until', '>=', from)]),
        ]),
      );
  }
  const rows = (await query.orderBy('id', 'desc').limit(limit).execute()).reverse();
  const jobs = await jobsOf(db, ruleId, rows);
  return rows.flatMap((row) => entryOf(row, jobs));
}

/** Skips a reason of a later version, which has no sentence here. */
function entryOf(row: DecisionRow, jobs: JobIndex): LedgerEntry[] {
  if (!isReason(row.reason)) return [];
  return [
    {
      id: row.id,
      reason: row.reason,
      dueAt: row.due_at === null ? null : new Date(row.due_at),
      dueUntil: row.due_until === null ? null : new Date(row.due_until),
      times: row.times,
      detail: row.detail,
      decidedAt: new Date(row.decided_at),
      by: row.worker_id,
      requestId: row.request_id,
      job: jobs.of(row),
    },
  ];
}

/** Reasons about a due time that may have a job. */
const ofDueTime: ReadonlySet<string> = new Set<Reason>(['started', 'late', 'taken']);

/** Jobs by what identifies them in entries. */
class JobIndex {
  readonly #jobs = new Map<string, Job>();

  constructor(jobs: readonly Job[]) {
    for (const job of jobs) {
      this.#jobs.set(`job ${job.id}`, job);
      if (job.requestId !== null) this.#jobs.set(`request ${job.requestId}`, job);
      if (job.dueAt !== null) this.#jobs.set(`due ${job.dueAt.getTime()}`, job);
    }
  }

  of({ job_id, request_id, due_at, reason }: DecisionRow): Job | null {
    if (job_id !== null) return this.#jobs.get(`job ${job_id}`) ?? null;
    if (request_id !== null) return this.#jobs.get(`request ${request_id}`) ?? null;
    return (ofDueTime.has(reason) ? this.#jobs.get(`due ${due_at}`) : undefined) ?? null;
  }
}

async function jobsOf(
  db: Kysely<Database>,
  ruleId: number,
  rows: ReadonlyArray<DecisionRow>,
): Promise<JobIndex> {
  const named = (column: 'due_at' | 'request_id' | 'job_id') =>
    idList(
      db,
      rows.flatMap((row) => row[column] ?? []),
    );
  // Conditions joined by `or` would make SQLite read all jobs of the rule.
  const ids = sql<number>`(
    select id from jobs where rule_id = ${ruleId} and due_at in ${named('due_at')}
    union select id from jobs where request_id in ${named('request_id')}
    union select id from jobs where id in ${named('job_id')})`;
  const found = await db
    .selectFrom('jobs')
    .selectAll()
    .where('rule_id', '=', ruleId)
    .where('id', 'in', ids)
    .execute();
  return new JobIndex(found.map(jobFromRow));
}

/** The summary of one day of a rule. */
export interface DaySummary {
  /** In the rule's zone, `2026-11-24`. */
  readonly day: string;
  readonly counts: ReadonlyArray<{
    readonly reason: Reason;
    readonly times: number;
    readonly lastDetail: string;
  }>;
}

/** The newest summaries of a rule, the oldest of them first. */
export async function readSummaries(
  db: Kysely<Database>,
  ruleId: number,
  { since, day, limit }: { readonly since?: string; readonly day?: string; readonly limit: number },
): Promise<DaySummary[]> {
  const days = (
    await db
      .selectFrom('decision_summaries')
      .select('day')
      .distinct()
      .where('rule_id', '=', ruleId)
      .$if(since !== undefined, (query) => query.where('day', '>=', since ?? ''))
      .$if(day !== undefined, (query) => query.where('day', '=', day ?? ''))
      .orderBy('day', 'desc')
      .limit(limit)
      .execute()
  ).reverse();
  if (days.length === 0) return [];
  const rows = await db
    .selectFrom('decision_summaries')
    .selectAll()
    .where('rule_id', '=', ruleId)
    .where('day', '>=', days[0]?.day ?? '')
    .where('day', '<=', days.at(-1)?.day ?? '')
    .execute();
  return days.map(({ day: name }) => ({
    day: name,
    counts: rows
      .flatMap(({ day: of, reason, times, last_detail: lastDetail }) =>
        of === name && isReason(reason) ? [{ reason, times, lastDetail }] : [],
      )
      .sort((a, b) => reasons.indexOf(a.reason) - reasons.indexOf(b.reason)),
  }));
}

/** `1440 started, 3 skipped (the last: job 7 was still running, for 10 s)`. */
export function summaryText({ counts }: DaySummary): string {
  return counts
    .map(({ reason, times, lastDetail }) => {
      const last = lastDetail === '' ? '' : ` (${times === 1 ? '' : 'the last: '}${lastDetail})`;
      return `${times} ${reason}${last}`;
    })
    .join(', ');
}
