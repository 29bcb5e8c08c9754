// What a poll reads: the rules that are due, and when there is something to do again.

import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { type HostNeeds, parseHostKey } from '../runs/host.js';
import type { Database } from '../store/schema.js';

/** A due time, as it was read; whether it still holds is known when its rule is locked. */
export interface Due {
  readonly id: number;
  /** In ms since 1970, as all times here. */
  readonly dueAt: number;
  readonly procedure: string;
}

/** When a worker has something to do again; null where there is nothing. */
export interface NextTimes {
  readonly due: number | null;
  /** When the next request can be taken up that waits for its time. */
  readonly asked: number | null;
}

/** A pool keeps no more ready. */
const mostRemote = 4;

/**
 * The rules that are due by an instant: those with the higher priority first, then those that wait the longest.
 *
 * @param offset how many of them to pass over
 */
export async function readDue(
  db: Kysely<Database>,
  { by, limit, offset }: { by: number; limit: number; offset: number },
): Promise<Due[]> {
  const rows = await db
    .selectFrom('job_rules')
    .select(['id', 'next_due_at', 'procedure'])
    .where('next_due_at', '<=', by)
    .orderBy('due_priority', 'desc')
    .orderBy('next_due_at')
    .orderBy('seqno')
    .limit(limit)
    .offset(offset)
    .execute();
  return rows.flatMap(({ id, next_due_at: dueAt, procedure }) =>
    dueAt === null ? [] : [{ id, dueAt, procedure }],
  );
}

/** When rules come due, and requests can be taken up, later than an instant. */
export async function readNextTimes(db: Kysely<Database>, after: number): Promise<NextTimes> {
  const due = db
    .selectFrom('job_rules')
    .select((eb) => eb.fn.min('next_due_at').as('at'))
    .where('next_due_at', '>', after);
  const asked = db
    .selectFrom('job_requests')
    .select((eb) => eb.fn.min('run_at').as('at'))
    .where('handled_at', 'is', null)
    // In these words, for SQLite to find the index of those that wait for their time.
    .where('run_at', '>', sql.lit(0))
    .where('run_at', '>', after);
  const { rows } = await sql<NextTimes>`select (${due}) as due, (${asked}) as asked`.execute(db);
  return rows[0] ?? { due: null, asked: null };
}

/** The rules that come due next and whose runs need a thread or a process, as many as a worker keeps ready. */
export async function readNextRemote(
  db: Kysely<Database>,
  after: number,
): Promise<Array<{ dueAt: number; needs: HostNeeds }>> {
  const rows = await db
    .selectFrom('job_rules')
    .select(['next_due_at', 'due_host'])
    .where('next_due_at', '>', after)
    // In these words, for SQLite to see that an index has just these rules.
    .where(sql<boolean>`due_host <> ''`)
    .orderBy('next_due_at')
    .limit(mostRemote)
    .execute();
  return rows.flatMap(({ next_due_at: dueAt, due_host: host }) => {
    const needs = parseHostKey(host);
    return dueAt === null || needs === null ? [] : [{ dueAt, needs }];
  });
}
