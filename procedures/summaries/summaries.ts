// Summaries: what an application computes from its data and stores, by keys, so that it need not be computed again.

import type { Kysely } from 'kysely';
import type { BaseRequest, Database } from '../../src/index.js';
import { InvalidRegistrationError, Registry } from '../registry.js';
import { type AnyKysely, procedureTables } from '../store/open.js';

/** A set of stored values, one a key. */
export interface Summary<Value> {
  /** Stored with the marks. */
  readonly name: string;
  /** Computes the value of a key from the data. What it throws leaves the key marked, for the next run. */
  compute(key: string, ar: BaseRequest): Value | Promise<Value>;
  /** Stores a value, in the transaction that takes the mark away. */
  store(key: string, value: Awaited<Value>, tx: Kysely<Database>): void | Promise<void>;
  /** All keys: then every run computes all of them, those first that were marked. Without it, only those are. */
  keys?(ar: BaseRequest): Iterable<string> | AsyncIterable<string>;
}

/** A registered summary, without the type of its values. */
export type AnySummary = Summary<unknown>;

export const summaries = new Registry<AnySummary>('summary');

/**
 * Has the nightly `checksummaries` compute what was marked as dirty.
 *
 * @returns takes it back
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`)
 * @example
 * registerSummary({
 *   name: 'customer_totals',
 *   compute: async (customer, ar) => await totalOf(ar.db, customer),
 *   store: async (customer, total, tx) => await setTotal(tx, customer, total),
 * });
 */
export function registerSummary<Value>(summary: Summary<Value>): () => void {
  for (const method of ['compute', 'store'] as const) {
    if (typeof summary[method] === 'function') continue;
    throw new InvalidRegistrationError(
      `summary ${JSON.stringify(summary.name)}`,
      `expected a function ${method}`,
    );
  }
  return summaries.add(summary as AnySummary);
}

/** Marks that fit into one statement of SQLite. */
const batchSize = 1000;

/**
 * Says that the values of these keys are no longer true. Call it in the transaction that changes the data, so that
 * no change is missed. A mark that is made while a key is being computed stays for the next run.
 *
 * @param db a Kysely or a transaction on the site's database
 */
export async function markSummaryDirty(
  db: AnyKysely,
  summary: string,
  keys: string | Iterable<string>,
  at: Date = new Date(),
): Promise<void> {
  const all = [...new Set(typeof keys === 'string' ? [keys] : keys)];
  for (let i = 0; i < all.length; i += batchSize) {
    await procedureTables(db)
      .insertInto('dirty_summaries')
      .values(all.slice(i, i + batchSize).map((key) => newMark(summary, key, at)))
      .onConflict((conflict) =>
        conflict
          .columns(['summary', 'key'])
          .doUpdateSet((eb) => ({ version: eb('dirty_summaries.version', '+', 1) })),
      )
      .execute();
  }
}

/** A mark as it is made first. */
export function newMark(summary: string, key: string, at: Date) {
  return { summary, key, version: 1, marked_at: at.getTime(), failures: 0, last_error: null };
}
