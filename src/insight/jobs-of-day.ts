// Counts the jobs of a day by their status. A page asks again and again, so what has been counted is not read again.

import type { Kysely } from 'kysely';
import { type JobStatus, jobStatuses } from '../runs/job.js';
import { firstJobSince } from '../runs/job-search.js';
import type { Database } from '../store/schema.js';

type Counts = Readonly<Record<JobStatus, number>>;

interface Tally {
  readonly day: number;
  /** All jobs of the day with lower numbers have ended, and are counted. */
  readonly upTo: number;
  readonly ended: Counts;
}

const tallies = new WeakMap<Kysely<Database>, Tally>();
const none = Object.fromEntries(jobStatuses.map((status) => [status, 0])) as Counts;
/** SQLite blocks the process while it counts a range. */
const rangeLength = 50_000;
/** PostgreSQL may show a lower number later than a higher one. */
const lateNumbers = 1000;

/** @param day when it begins, in ms since 1970 */
export async function jobsOfDay(db: Kysely<Database>, day: number): Promise<Counts> {
  const known = tallies.get(db);
  let { upTo, ended } = known?.day === day ? known : { upTo: await firstJobSince(db, day), ended: none };
  const newest = await db
    .selectFrom('jobs')
    .select((eb) => eb.fn.max('id').as('id'))
    .executeTakeFirst();
  const running = await db.selectFrom('jobs').select('id').where('status', '=', 'running').execute();
  const open = Math.min((newest?.id ?? 0) - lateNumbers, ...running.map(({ id }) => id));
  while (upTo < open) {
    const end = Math.min(open, upTo + rangeLength);
    ended = sum(ended, await count(db, day, upTo, end));
    upTo = end;
    await new Promise(setImmediate);
  }
  tallies.set(db, { day, upTo, ended });
  return sum(ended, await count(db, day, upTo, Number.MAX_SAFE_INTEGER));
}

async function count(
  db: Kysely<Database>,
  day: number,
  begin: number,
  end: number,
): Promise<Partial<Counts>> {
  const rows = await db
    .selectFrom('jobs')
    .select((eb) => ['status', eb.fn.countAll().as('count')])
    .where('id', '>=', begin)
    .where('id', '<', end)
    .where('start_datetime', '>=', day)
    .groupBy('status')
    .execute();
  return Object.fromEntries(rows.map(({ status, count }) => [status, Number(count)]));
}

function sum(a: Counts, b: Partial<Counts>): Counts {
  return Object.fromEntries(jobStatuses.map((status) => [status, a[status] + (b[status] ?? 0)])) as Counts;
}
