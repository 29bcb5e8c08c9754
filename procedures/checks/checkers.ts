// Checkers: what an application knows about its data, as functions that look at one row at a time.

import type { AliasableExpression, Kysely } from 'kysely';
import * as v from 'valibot';
import type { BaseRequest, Database } from '../../src/index.js';
import { Registry } from '../registry.js';

/** Something that is wrong with a row. */
export interface Problem {
  /** One row may have many; of a long text the first 500 characters are kept. */
  readonly message: string;
  /** Whether the checker's `fix` can repair it. Default false. */
  readonly fixable?: boolean | undefined;
}

/** What `check` says of a row: its problems, a text standing for one that cannot be fixed; nothing when all is well. */
export type CheckResult = ReadonlyArray<string | Problem> | undefined;

interface CheckerBase<Row> {
  /** Stored with the problems: a checker with another name is another checker. */
  readonly name: string;
  /**
   * Looks at a row. What it throws is a problem of this row, and the next row is checked.
   */
  check(row: Row, ar: BaseRequest): CheckResult | Promise<CheckResult>;
  /**
   * Repairs a fixable problem of a row. It is called in the nightly run, and by `linod checkdata --fix`, for each problem
   * that `check` called fixable; unless it throws, the problem counts as gone. Without it problems are only told.
   */
  fix?(row: Row, problem: Problem, ar: BaseRequest): void | Promise<void>;
}

interface KeyedChecker<Row> extends CheckerBase<Row> {
  /** A column of unique numbers or texts with an index, none of them null. Default `id`. */
  readonly key?: string | undefined;
  /** So many rows are in memory at a time. Default 1000. */
  readonly batchSize?: number | undefined;
  /** What people call the row. Default: the table, or the checker for a query, and the key: `orders 17`. */
  owner?(row: Row): string;
}

/** Checks the rows of a table, however large it is. */
export interface TableChecker<Row> extends KeyedChecker<Row> {
  readonly table: string;
  readonly query?: undefined;
  readonly rows?: undefined;
}

/** Checks the rows of a query, however many there are. */
export interface QueryChecker<Row> extends KeyedChecker<Row> {
  /** A query without order and limit, with the key among its columns. */
  query(db: Kysely<Database>, ar: BaseRequest): AliasableExpression<Row>;
  readonly table?: undefined;
  readonly rows?: undefined;
}

/** Checks whatever the application yields. */
export interface RowsChecker<Row> extends CheckerBase<Row> {
  /** All rows, each time from the first on. */
  rows(ar: BaseRequest): Iterable<Row> | AsyncIterable<Row>;
  readonly table?: undefined;
  readonly query?: undefined;
  /** What people call the row, `orders 17`. */
  owner(row: Row): string;
}

/** Rows are whatever the application says they are: they are not looked into here. */
export type Checker<Row> = TableChecker<Row> | QueryChecker<Row> | RowsChecker<Row>;

/** A registered checker, without the type of its rows. */
export type AnyChecker = Checker<unknown>;

const maxBatchSize = 5000;
const oneSource = 'expected one of a table, a function query and a function rows';

export const checkers = new Registry<AnyChecker>(
  'checker',
  v.pipe(
    v.looseObject({
      check: v.function(),
      fix: v.optional(v.function()),
      owner: v.optional(v.function()),
      table: v.optional(v.string()),
      query: v.optional(v.function()),
      rows: v.optional(v.function()),
      batchSize: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(maxBatchSize))),
    }),
    v.check(({ table, query, rows }) => [table, query, rows].filter(Boolean).length === 1, oneSource),
    v.check(
      ({ rows, owner }) => !rows || owner !== undefined,
      'expected a function owner, since it has rows',
    ),
  ),
);

/**
 * Has the nightly `checkdata` check rows and keep their problems in the table `data_problems`.
 *
 * @returns takes it back
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`)
 * @example
 * registerChecker({
 *   name: 'orders_have_customers',
 *   table: 'orders',
 *   check: (order: Order) => (order.customer_id === null ? ['has no customer'] : []),
 * });
 */
export function registerChecker<Row>(checker: Checker<Row>): () => void {
  return checkers.add(checker as AnyChecker);
}
