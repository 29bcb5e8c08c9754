// The rows of checkers, a batch at a time.

import { type BaseRequest, LinodError, sql } from '../../src/index.js';
import { headline } from '../failures.js';
import { anyTables } from '../store/open.js';
import type { AnyChecker, QueryChecker, RowsChecker, TableChecker } from './checkers.js';
import { shortened } from './parse-problems.js';

/** A key that rows are ordered by. */
export type Key = number | string;

/** The rows of a checker could not be had. */
export class RowsFailedError extends LinodError {
  constructor(cause: unknown) {
    super('LINOD_ERR_ROWS_FAILED', `its rows could not be read: ${headline(cause)}`, { cause });
  }
}

const defaultBatchSize = 1000;
const maxOwnerLength = 200;

/**
 * Reads all rows of checkers that read the same ones, those of a table or a query from behind a position on. No statement
 * and no transaction stays open between two batches.
 *
 * @throws RowsFailedError (`LINOD_ERR_ROWS_FAILED`) for whatever goes wrong
 */
export async function* rowBatches(
  ar: BaseRequest,
  checkers: readonly AnyChecker[],
  after: Key | null,
): AsyncGenerator<readonly unknown[]> {
  const [first] = checkers;
  if (first === undefined) return;
  try {
    if (first.rows !== undefined) yield* iterated(ar, first);
    else yield* ofKeys(ar, first, after, batchSizeOf(checkers));
  } catch (error) {
    throw new RowsFailedError(error);
  }
}

/**
 * How many rows there are; undefined where that is not known, or not cheap to know.
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

/** What people call a row. @throws whatever the checker's own function throws */
export function ownerOf(checker: AnyChecker, row: unknown): string {
  const owner =
    checker.owner?.(row) ?? `${checker.table ?? checker.name} ${String(fieldOf(row, keyOf(checker)))}`;
  return shortened(String(owner), maxOwnerLength);
}

/** Where to go on behind a row; null where that is not possible. @throws RowsFailedError for a key that is none */
export function positionOf(checker: AnyChecker, row: unknown): Key | null {
  if (checker.rows !== undefined) return null;
  try {
    return asKey(fieldOf(row, keyOf(checker)), checker);
  } catch (error) {
    throw new RowsFailedError(error);
  }
}

async function* ofKeys(
  ar: BaseRequest,
  checker: TableChecker<unknown> | QueryChecker<unknown>,
  after: Key | null,
  batchSize: number,
): AsyncGenerator<readonly unknown[]> {
  const key = keyOf(checker);
  const column = sql.ref(`rows.${key}`);
  const source =
    checker.table === undefined ? checker.query(ar.db, ar).as('rows') : sql.table(checker.table).as('rows');
  let position = after;
  for (;;) {
    const rows: unknown[] = await anyTables(ar.db)
      .selectFrom(source)
      .selectAll()
      .$if(position !== null, (query) => query.where(column, '>', position))
      .orderBy(column)
      .limit(batchSize)
      .execute();
    if (rows.length > 0) yield rows;
    if (rows.length < batchSize) return;
    position = asKey(fieldOf(rows.at(-1), key), checker);
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

function batchSizeOf(checkers: readonly AnyChecker[]): number {
  const sizes = checkers.map((checker) => (checker.rows === undefined ? checker.batchSize : undefined));
  return Math.min(...sizes.map((size) => size ?? defaultBatchSize));
}

function keyOf(checker: AnyChecker): string {
  return checker.rows === undefined ? (checker.key ?? 'id') : 'id';
}

function asKey(value: unknown, checker: AnyChecker): Key {
  if (typeof value === 'number' || typeof value === 'string') return value;
  const name = `${checker.table ?? checker.name}.${keyOf(checker)}`;
  throw new TypeError(`expected ${name} to be a number or a text, got: ${String(value)}`);
}

function fieldOf(row: unknown, key: string): unknown {
  return typeof row === 'object' && row !== null ? Reflect.get(row, key) : undefined;
}
