// When a worker has something to do again, if nobody asks for anything before.

import type { Kysely, RawBuilder } from 'kysely';
import { sql } from '../store/kysely.js';
import { PreparedQuery } from '../store/prepared.js';
import type { Database } from '../store/schema.js';
import { type Blocked, isNothing, notBlocked, nothing } from './blocked.js';

/** In ms since 1970; null where there is none. */
export interface NextTimes {
  /** When the next rule is due. */
  readonly due: number | null;
  /** The same of those whose runs need a thread or a process. */
  readonly remote: number | null;
  /** When the next request that waits for its time can be taken up. */
  readonly asked: number | null;
}

/** @param now in ms since 1970; requests for before that do not wait for their time */
export async function nextTimes(db: Kysely<Database>, blocked: Blocked, now: number): Promise<NextTimes> {
  const [row] = isNothing(blocked)
    ? await times.rows(db, { now })
    : (await timesQuery(db, blocked, sql.val(now)).execute(db)).rows;
  return row ?? { due: null, remote: null, asked: null };
}

const times = new PreparedQuery<{ now: number }, NextTimes>((db, value) =>
  timesQuery(db, nothing, value('now')),
);

/** One statement, since it is asked after all that a worker does. */
function timesQuery(db: Kysely<Database>, blocked: Blocked, now: RawBuilder<number>) {
  const due = notBlocked(db, blocked)
    .select('next_due_at')
    .where('next_due_at', 'is not', null)
    .orderBy('next_due_at')
    .limit(sql.lit(1));
  // In these words, for SQLite to see that an index has just these rules.
  const remote = due.where(sql<boolean>`due_host <> ''`);
  const asked = db
    .selectFrom('job_requests')
    .select((eb) => eb.fn.min('run_at').as('at'))
    .where('handled_at', 'is', null)
    // In so many words, so that SQLite finds the index of those.
    .where('run_at', '>', sql.lit(0))
    .where('run_at', '>', now);
  return sql<NextTimes>`select (${due}) as due, (${remote}) as remote, (${asked}) as asked`;
}
