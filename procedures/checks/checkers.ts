// Checkers: functions of the application that check its data row by row.

import type { AliasableExpression, Kysely } from 'kysely';
import * as v from 'valibot';
import type { BaseRequest, Database } from '../../src/index.js';
import { Registry } from '../shared/registry.js';

/** A problem of a row. */
export interface Problem {
  /** One row may have several problems. Messages are stored up to 500 characters. */
  readonly message: string;
  /** Whether the checker's `fix` can repair it. Default false. */
  readonly fixable?: boolean | undefined;
}

/**
 * The result of `check`: the problems of a row. A string is a problem without a fix. Undefined means no
 * problem.
 */
export type CheckResult = ReadonlyArray<string | Problem> | undefined;

interface CheckerBase<Row> {
  /** Stored with the problems: renaming a checker makes a new one. */
  readonly name: string;
  /** Checks a row. An error that it throws is a problem of this row, and the next row is checked. */
  check(row: Row, ar: BaseRequest): CheckResult | Promise<CheckResult>;
  /**
   * Fixes a fixable problem of a row. The nightly run, and `linod checkdata --fix`, call it for each problem
   * that is `fixable`. Unless it throws, the problem counts as solved. Without it, problems are only listed.
   */
  fix?(row: Row, problem: Problem, ar: BaseRequest): void | Promise<void>;
}

interface KeyedChecker<Row> extends CheckerBase<Row> {
  /** An indexed column of unique numbers or texts without nulls. Default `id`. */
  readonly key?: string | undefined;
  /** How many rows are in memory at a time. Default 1000. */
  readonly batchSize?: number | undefined;
  /** The row's name for people. Default: the table or checker, and the key: `orders 17`. */
  owner?(row: Row): string;
}

/** Checks the rows of a table of any size. */
export interface TableChecker<Row> extends KeyedChecker<Row> {
  readonly table: string;
  readonly query?: undefined;
  readonly rows?: undefined;
}

/** Checks the rows of a query of any size. */
export interface QueryChecker<Row> extends KeyedChecker<Row> {
  /** A query without order and limit, with the key among its columns. */
  query(db: Kysely<Database>, ar: BaseRequest): AliasableExpression<Row>;
  readonly table?: undefined;
  readonly rows?: undefined;
}

/** Checks rows that the application yields. */
export interface RowsChecker<Row> extends CheckerBase<Row> {
  /** All rows, from the first one each time. */
  rows(ar: BaseRequest): Iterable<Row> | AsyncIterable<Row>;
  readonly table?: undefined;
  readonly query?: undefined;
  /** The row's name for people, `orders 17`. */
  owner(row: Row): string;
}

/** A checker of rows of any type. */
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
    v.check(({ rows, owner }) => !rows || owner !== undefined, 'expected a function owner with rows'),
  ),
);

/**
 * Registers a checker. The nightly `checkdata` runs it and stores the problems in the table `data_problems`.
 *
 * @returns a function that removes it
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
