// Deleting much in short transactions, between which others may write: of SQLite one locks the whole database.

import { setTimeout } from 'node:timers/promises';
import type { RawBuilder, SqlBool, Transaction } from 'kysely';
import { type BaseRequest, type Database, sql } from '../src/index.js';
import { mayGoOn } from './pause.js';
import { anyTables } from './store/open.js';
import type { ProcedureTables } from './store/tables.js';

/** Rows of one step. */
export const batchSize = 100;
/** Between two transactions. */
const restMs = 10;

/**
 * Takes steps, each in a transaction of the run, until one finds less than a batch or the run is to end.
 *
 * @param step takes a batch of rows away, and returns how many
 * @returns how many in all
 * @throws RunLostError (`LINOD_ERR_RUN_LOST`) when the run was given up
 */
export async function drain(
  ar: BaseRequest,
  step: (tx: Transaction<Database>) => Promise<number>,
): Promise<number> {
  let done = 0;
  while (await mayGoOn(ar.signal)) {
    const count = await ar.transaction(step);
    done += count;
    if (count < batchSize) break;
    await setTimeout(restMs);
  }
  return done;
}

/**
 * Deletes rows in batches, the oldest first, until there is no more or the run is to end.
 *
 * @param column of an instant; rows without one stay
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
