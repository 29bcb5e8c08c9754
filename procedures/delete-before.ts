// Forgetting what is old.

import type { RawBuilder, SqlBool } from 'kysely';
import { type BaseRequest, sql } from '../src/index.js';
import { mayGoOn } from './pause.js';
import { anyTables } from './store/open.js';
import type { ProcedureTables } from './store/tables.js';

const batchSize = 500;

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
  const db = anyTables(ar.db);
  let deleted = 0;
  let more = true;
  while (more && (await mayGoOn(ar.signal))) {
    const old = db
      .selectFrom(table)
      .select('id')
      .where(column, '<', instant)
      .where(also)
      .orderBy(column)
      .limit(batchSize);
    const { numDeletedRows } = await db.deleteFrom(table).where('id', 'in', old).executeTakeFirst();
    deleted += Number(numDeletedRows);
    more = Number(numDeletedRows) === batchSize;
    if (deleted > 0) ar.progress(deleted, undefined, 'old rows deleted');
  }
  return deleted;
}
