// Deletes many rows in short transactions, so that others can write in between: SQLite locks the whole
// database.

import { setTimeout } from 'node:timers/promises';
import type { RawBuilder, SqlBool, Transaction } from 'kysely';
import { type BaseRequest, type Database, sql } from '../../src/index.js';
import { anyTables } from '../store/open.js';
import type { ProcedureTables } from '../store/tables.js';
import { shouldContinue } from './pause.js';

/** Rows of one step. */
export const batchSize = 100;
/** The pause between two transactions. */
const restMs = 10;

/**
 * Repeats a step, each time in a transaction of the run, until it handles less than a batch or the run ends.
 *
 * @param step handles a batch of rows, and returns their number
 * @returns how many rows in all
 * @throws RunLostError (`LINOD_ERR_RUN_LOST`) when the run was given up
 */
export async function drain(
  ar: BaseRequest,
  step: (tx: Transaction<Database>) => Promise<number>,
): Promise<number> {
  let done = 0;
  while (await shouldContinue(ar.signal)) {
    const count = await ar.transaction(step);
    done += count;
    if (count < batchSize) break;
    await setTimeout(restMs);
  }
  return done;
}

/**
 * Deletes rows in batches, the oldest first, until none are left or the run ends.
 *
 * @param column an instant; rows without one are kept
 * @param also a further condition
 * @returns how many
 */
export async function deleteBefore(
  ar: BaseRequest,
  table: keyof ProcedureTables,
  column: string,
  instant: number,
  also: RawBuilder<SqlBool> = sql`1 = 1`,
): Promise<number> {
  let deleted = 0;
  return await drain(ar, async (tx) => {
    const rows = anyTables(tx).selectFrom(table).select('id').where(column, '<', instant).where(also);
    const old = rows.orderBy(column).limit(batchSize);
    const gone = await anyTables(tx).deleteFrom(table).where('id', 'in', old).executeTakeFirst();
    deleted += Number(gone.numDeletedRows);
    if (deleted > 0) ar.progress(deleted, undefined, 'old rows deleted');
    return Number(gone.numDeletedRows);
  });
}
