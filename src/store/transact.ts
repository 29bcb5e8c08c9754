// Transactions that several processes may get in the way of.

import { setTimeout } from 'node:timers/promises';
import type { IsolationLevel, Kysely, Transaction } from 'kysely';

/** How often a transaction is tried before it is given up. */
const maxTries = 8;
/** serialization_failure and deadlock_detected. Source: PostgreSQL's manual, appendix A. */
const conflicts = new Set(['40001', '40P01']);

export interface TransactOptions {
  /** Default: the database's own; on SQLite there is only the strictest. */
  readonly isolation?: IsolationLevel;
}

/**
 * Does something in one transaction: all of it, or nothing.
 *
 * PostgreSQL may end one of two transactions that wait for one another, or that it cannot put in an order. Then
 * nothing was written, and it is begun again, so `work` must do nothing but ask and write through its transaction.
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
      return await transaction.execute(work);
    } catch (error) {
      if (tries === maxTries || !isConflict(error)) throw error;
    }
    // By chance, so that the same two do not meet again.
    await setTimeout(Math.random() * 2 ** tries);
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof Error && 'code' in error && conflicts.has(String(error.code));
}
