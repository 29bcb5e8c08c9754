// Transactions that retry after a conflict with another process.

import { setTimeout } from 'node:timers/promises';
import type { IsolationLevel, Kysely, Transaction } from 'kysely';

/** The maximum number of attempts. */
const maxTries = 8;
/** serialization_failure and deadlock_detected. Source: PostgreSQL's manual, appendix A. */
const conflicts = new Set(['40001', '40P01']);
/** What follows the commit of a transaction. */
const followUps = new WeakMap<object, Array<() => void>>();

export interface TransactOptions {
  /** Default: the database's own; SQLite has only the strictest. */
  readonly isolation?: IsolationLevel;
}

/**
 * Runs `work` in one transaction: all of it takes effect, or nothing.
 *
 * PostgreSQL may abort one of two transactions that deadlock or cannot be serialised. Nothing is written
 * then, and `work` runs again. So `work` must only read and write through its transaction.
 *
 * @example
 * await transact(db, async (tx) => {
 *   await tx.updateTable('orders').set({ paid: 1 }).where('id', '=', 17).execute();
 *   await queueMail(tx, { to, subject, text });
 * });
 */
export async function transact<DB, T>(
  db: Kysely<DB>,
  work: (tx: Transaction<DB>) => Promise<T>,
  { isolation }: TransactOptions = {},
): Promise<T> {
  const begin = db.transaction();
  const transaction = isolation === undefined ? begin : begin.setIsolationLevel(isolation);
  for (let tries = 1; ; tries++) {
    try {
      const acts: Array<() => void> = [];
      const result = await transaction.execute((tx) => {
        followUps.set(tx, acts);
        return work(tx);
      });
      for (const act of acts) act();
      return result;
    } catch (error) {
      if (tries === maxTries || !isConflict(error)) throw error;
    }
    // Random, so that the same two do not collide again.
    await setTimeout(Math.random() * 2 ** tries);
  }
}

/** Calls `act` once the transaction is committed; at once if `db` is none of {@link transact}. */
export function afterCommit<DB>(db: Kysely<DB>, act: () => void): void {
  const acts = followUps.get(db);
  if (acts === undefined) act();
  else acts.push(act);
}

function isConflict(error: unknown): boolean {
  return error instanceof Error && 'code' in error && conflicts.has(String(error.code));
}
