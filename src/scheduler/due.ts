// The queries of a poll: whether there is work, which rules are due, and when to poll again.

import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../store/schema.js';

/** A due time, read without a lock. The claim locks the rule and checks it again. */
export interface Due {
  readonly id: number;
  /** In ms since 1970, as all times here. */
  readonly dueAt: number;
  readonly procedure: string;
}

/** The work at an instant, and when there is more. Null means none. */
export interface PendingWork {
  /** 1 when there are cancellations, requests for runs, or rules that are due. */
  readonly cancels: number | null;
  readonly asks: number | null;
  readonly dues: number | null;
  /** When the next rule is due. */
  readonly nextDue: number | null;
  /** When the next postponed request may start. */
  readonly nextAsked: number | null;
}

/** One statement of index lookups, because most polls find no work. */
export async function readPendingWork(db: Kysely<Database>, at: number): Promise<PendingWork> {
  // `run_at > 0` is there so that SQLite uses the partial index of postponed requests.
  const { rows } = await sql<PendingWork>`
    select
      (select 1 from job_requests where action = 'cancel' and handled_at is null limit 1) as cancels,
      (select 1 from job_requests where action = 'run' and handled_at is null and run_at <= ${at} limit 1) as asks,
      (select 1 from job_rules where next_due_at <= ${at} limit 1) as dues,
      (select min(next_due_at) from job_rules where next_due_at > ${at}) as "nextDue",
      (select min(run_at) from job_requests where handled_at is null and run_at > 0 and run_at > ${at}) as "nextAsked"
  `.execute(db);
  const [pending] = rows;
  if (pending === undefined) throw new RangeError('expected a row, got none');
  return pending;
}

/**
 * The rules that are due by an instant: the highest priority first, then the earliest due time.
 *
 * @param offset the number of rules to skip
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
