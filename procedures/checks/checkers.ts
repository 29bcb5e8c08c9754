// Checkers: what an application knows about its data, as functions that look at one row at a time.

import type { BaseRequest } from '../../src/index.js';
import { InvalidRegistrationError, Registry } from '../registry.js';

/** Something that is wrong with a row. */
export interface Problem {
  readonly message: string;
  /** Whether the checker's `fix` can repair it. Default false. */
  readonly fixable?: boolean | undefined;
}

/** What `check` says of a row: its problems, a text standing for one that cannot be fixed; nothing when all is well. */
export type CheckResult = ReadonlyArray<string | Problem> | undefined;

interface CheckerBase<Row> {
  /** Stored with the problems: a checker with another name is another checker. */
  readonly name: string;
  /** Looks at a row. What it throws is a problem of this row, and the next row is checked. */
  check(row: Row, ar: BaseRequest): CheckResult | Promise<CheckResult>;
  /**
   * Repairs a fixable problem of a row. It is called in the nightly run, for each problem that `check` called
   * fixable; unless it throws, the problem counts as gone. Without it problems are only told.
   */
  fix?(row: Row, problem: Problem, ar: BaseRequest): void | Promise<void>;
}

/** Checks the rows of a table. However large it is, a few hundred rows are in memory at a time. */
export interface TableChecker<Row> extends CheckerBase<Row> {
  readonly table: string;
  /** A column of unique numbers or texts with an index, none of them null. Default `id`. */
  readonly key?: string | undefined;
  /** Default 500. */
  readonly batchSize?: number | undefined;
  readonly rows?: undefined;
  /** What people call the row. Default: the table and the key, `orders 17`. */
  owner?(row: Row): string;
}

/** Checks whatever the application yields. */
export interface RowsChecker<Row> extends CheckerBase<Row> {
  /** All rows, each time from the first on. */
  rows(ar: BaseRequest): Iterable<Row> | AsyncIterable<Row>;
  readonly table?: undefined;
  /** What people call the row, `orders 17`. */
  owner(row: Row): string;
}

/** Rows are whatever the application says they are: they are not looked into here. */
export type Checker<Row> = TableChecker<Row> | RowsChecker<Row>;

/** A registered checker, without the type of its rows. */
export type AnyChecker = Checker<unknown>;

export const checkers = new Registry<AnyChecker>('checker');

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
  const what = `checker ${JSON.stringify(checker.name)}`;
  if (typeof checker.check !== 'function')
    throw new InvalidRegistrationError(what, 'expected a function check');
  if ((checker.table === undefined) === (checker.rows === undefined)) {
    throw new InvalidRegistrationError(what, 'expected either a table or a function rows');
  }
  if (checker.rows !== undefined && typeof checker.owner !== 'function') {
    throw new InvalidRegistrationError(what, 'expected a function owner, since it has rows');
  }
  const { batchSize = 1 } = checker.table === undefined ? {} : checker;
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > 5000) {
    throw new InvalidRegistrationError(what, `expected a batchSize from 1 to 5000, got: ${batchSize}`);
  }
  return checkers.add(checker as AnyChecker);
}
