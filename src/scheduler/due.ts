// What a poll reads: whether there is something to do, the rules that are due, and when to poll again.

import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../store/schema.js';

/** A due time, as it was read; whether it still holds is known when its rule is locked. */
export interface Due {
  readonly id: number;
  /** In ms since 1970, as all times here. */
  readonly dueAt: number;
  readonly procedure: string;
}

/** What there is to do at an instant, and when there is more; null where there is nothing. */
export interface Outlook {
  /** Whether runs are to end, runs were asked for, and rules are due. */
  readonly cancels: number | null;
  readonly asks: number | null;
  readonly dues: number | null;
  /** When the next rule comes due. */
  readonly nextDue: number | null;
  /** When the next request can be taken up that waits for its time. */
  readonly nextAsked: number | null;
}

/** One statement, of which each part is a look into an index: most polls find nothing to do. */
export async function readOutlook(db: Kysely<Database>, at: number): Promise<Outlook> {
  // `run_at > 0` in these words, for SQLite to find the index of those requests.
  const { rows } = await sql<Outlook>`
    select
      (select 1 from job_requests where action = 'cancel' and handled_at is null limit 1) as cancels,
      (select 1 from job_requests where action = 'run' and handled_at is null and run_at <= ${at} limit 1) as asks,
      (select 1 from job_rules where next_due_at <= ${at} limit 1) as dues,
      (select min(next_due_at) from job_rules where next_due_at > ${at}) as "nextDue",
      (select min(run_at) from job_requests where handled_at is null and run_at > 0 and run_at > ${at}) as "nextAsked"
  `.execute(db);
  const [outlook] = rows;
  if (outlook === undefined) throw new RangeError('expected a row, got none');
  return outlook;
}

/**
 * The rules that are due by an instant: those with the higher priority first, then those that wait the longest.
 *
 * @param offset how many of them to pass over
 */
export async function readDue(
  db: Kysely<Database>,
  { by, limit, offset }: { by: number; limit: number; offset: number },
): Promise<Due[]> {
  return await db
    .selectFrom('job_rules')
    .select(['id', 'next_due_at as dueAt', 'procedure'])
    .where('next_due_at', '<=', by)
    .orderBy('due_priority', 'desc')
    .orderBy('next_due_at')
    .orderBy('seqno')
    .limit(limit)
    .offset(offset)
    .$narrowType<{ dueAt: number }>()
    .execute();
}
