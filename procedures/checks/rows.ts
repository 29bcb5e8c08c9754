// Reads the rows of a checker in batches.

import { type BaseRequest, LinodError, sql } from '../../src/index.js';
import { headline } from '../shared/failures.js';
import { anyTables } from '../store/open.js';
import type { AnyChecker, QueryChecker, RowsChecker, TableChecker } from './checkers.js';
import { shortened } from './parse-problems.js';

/** The value of a key column, which orders the rows. */
export type Key = number | string;

/** The rows of a checker could not be read. */
export class RowsFailedError extends LinodError {
  constructor(cause: unknown) {
    super('LINOD_ERR_ROWS_FAILED', `its rows could not be read: ${headline(cause)}`, { cause });
  }
}

const defaultBatchSize = 1000;
const maxOwnerLength = 200;

/**
 * Reads all rows of a checker; for a table or a query, those after a position. Neither a statement nor a
 * transaction stays open between two batches.
 *
 * @throws RowsFailedError (`LINOD_ERR_ROWS_FAILED`) for any error
 */
export async function* rowBatches(
  ar: BaseRequest,
  checker: AnyChecker,
  after: Key | null,
): AsyncGenerator<readonly unknown[]> {
  try {
    yield* checker.rows === undefined ? ofKeys(ar, checker, after) : iterated(ar, checker);
  } catch (error) {
    throw new RowsFailedError(error);
  }
}

/**
 * The number of rows; undefined where it is unknown, or expensive to count.
 *
 * @throws RowsFailedError (`LINOD_ERR_ROWS_FAILED`)
 */
export async function countRows(ar: BaseRequest, { table }: AnyChecker): Promise<number | undefined> {
  if (table === undefined) return undefined;
  const rows = anyTables(ar.db).selectFrom(table);
  try {
    return (await rows.select((eb) => eb.fn.countAll<number>().as('n')).executeTakeFirstOrThrow()).n;
  } catch (error) {
    throw new RowsFailedError(error);
  }
}

/** The row's name for people. @throws what the checker's own function throws */
export function ownerOf(checker: AnyChecker, row: unknown): string {
  const owner =
    checker.owner?.(row) ?? `${checker.table ?? checker.name} ${String(fieldOf(row, keyOf(checker)))}`;
  return shortened(String(owner), maxOwnerLength);
}

/** The position after a row; null where a pass cannot resume. @throws RowsFailedError for an invalid key */
export function positionOf(checker: AnyChecker, row: unknown): Key | null {
  if (checker.rows !== undefined) return null;
  const value = fieldOf(row, keyOf(checker));
  if (typeof value === 'number' || typeof value === 'string') return value;
  const name = `${checker.table ?? checker.name}.${keyOf(checker)}`;
  throw new RowsFailedError(
    new TypeError(`expected ${name} to be a number or a text, got: ${String(value)}`),
  );
}

async function* ofKeys(
  ar: BaseRequest,
  checker: TableChecker<unknown> | QueryChecker<unknown>,
  after: Key | null,
): AsyncGenerator<readonly unknown[]> {
  const { batchSize = defaultBatchSize } = checker;
  const column = sql.ref(`rows.${keyOf(checker)}`);
  const source = checker.table === undefined ? checker.query(ar.db, ar) : sql.table(checker.table);
  let position = after;
  for (;;) {
    const rows: unknown[] = await anyTables(ar.db)
      .selectFrom(source.as('rows'))
      .selectAll()
      .$if(position !== null, (query) => query.where(column, '>', position))
      .orderBy(column)
      .limit(batchSize)
      .execute();
    if (rows.length > 0) yield rows;
    if (rows.length < batchSize) return;
    position = positionOf(checker, rows.at(-1));
  }
}

async function* iterated(ar: BaseRequest, checker: RowsChecker<unknown>): AsyncGenerator<readonly unknown[]> {
  let rows: unknown[] = [];
  for await (const row of checker.rows(ar)) {
    rows.push(row);
    if (rows.length < defaultBatchSize) continue;
    yield rows;
    rows = [];
  }
  if (rows.length > 0) yield rows;
}

function keyOf(checker: AnyChecker): string {
  return checker.rows === undefined ? (checker.key ?? 'id') : 'id';
}

function fieldOf(row: unknown, key: string): unknown {
  return typeof row === 'object' && row !== null ? Reflect.get(row, key) : undefined;
}
