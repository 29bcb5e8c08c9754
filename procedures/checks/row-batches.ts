// The rows of a checker, a batch at a time.

import { type BaseRequest, LinodError } from '../../src/index.js';
import { headline } from '../failures.js';
import { anyTables } from '../store/open.js';
import type { AnyChecker, RowsChecker, TableChecker } from './checkers.js';

/** A key that rows are ordered by. */
export type Key = number | string;

export interface CheckedRow {
  readonly row: unknown;
  readonly owner: string;
  /** Where to go on behind this row; null where that is not possible. */
  readonly position: Key | null;
}

/** The rows of a checker could not be had. */
export class RowsFailedError extends LinodError {
  constructor(cause: unknown) {
    super('LINOD_ERR_ROWS_FAILED', `its rows could not be read: ${headline(cause)}`, { cause });
  }
}

const defaultBatchSize = 500;

/**
 * Reads all rows in batches, those of a table from behind a position on. No statement and no transaction stays open
 * between two batches.
 *
 * @throws RowsFailedError (`LINOD_ERR_ROWS_FAILED`) for whatever goes wrong
 */
export async function* rowBatches(
  ar: BaseRequest,
  checker: AnyChecker,
  after: Key | null,
): AsyncGenerator<readonly CheckedRow[]> {
  try {
    if (checker.table === undefined) yield* iterated(ar, checker);
    else yield* ofTable(ar, checker, after);
  } catch (error) {
    throw new RowsFailedError(error);
  }
}

/**
 * How many rows there are; undefined where that is not known.
 *
 * @throws RowsFailedError (`LINOD_ERR_ROWS_FAILED`)
 */
export async function countRows(ar: BaseRequest, checker: AnyChecker): Promise<number | undefined> {
  if (checker.table === undefined) return undefined;
  try {
    const { count } = await anyTables(ar.db)
      .selectFrom(checker.table)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return count;
  } catch (error) {
    throw new RowsFailedError(error);
  }
}

async function* ofTable(
  ar: BaseRequest,
  checker: TableChecker<unknown>,
  after: Key | null,
): AsyncGenerator<readonly CheckedRow[]> {
  const { table, key = 'id', batchSize = defaultBatchSize } = checker;
  let position = after;
  for (;;) {
    const rows = await anyTables(ar.db)
      .selectFrom(table)
      .selectAll()
      .$if(position !== null, (query) => query.where(key, '>', position))
      .orderBy(key)
      .limit(batchSize)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) return;
    const owner = checker.owner?.bind(checker) ?? ((row: unknown) => `${table} ${keyText(row, key)}`);
    yield rows.map((row) => ({ row, owner: owner(row), position: asKey(row[key], table, key) }));
    position = asKey(last[key], table, key);
    if (rows.length < batchSize) return;
  }
}

async function* iterated(
  ar: BaseRequest,
  checker: RowsChecker<unknown>,
): AsyncGenerator<readonly CheckedRow[]> {
  let rows: CheckedRow[] = [];
  for await (const row of checker.rows(ar)) {
    rows.push({ row, owner: checker.owner(row), position: null });
    if (rows.length < defaultBatchSize) continue;
    yield rows;
    rows = [];
  }
  if (rows.length > 0) yield rows;
}

function asKey(value: unknown, table: string, key: string): Key {
  if (typeof value === 'number' || typeof value === 'string') return value;
  throw new TypeError(`expected ${table}.${key} to be a number or a text, got: ${String(value)}`);
}

function keyText(row: unknown, key: string): string {
  return typeof row === 'object' && row !== null ? String(Reflect.get(row, key)) : '';
}
