// Summaries: what an application computes from its data and stores, by keys, so that it need not be computed again.

import type { Kysely } from 'kysely';
import * as v from 'valibot';
import type { BaseRequest, Database } from '../../src/index.js';
import { InvalidRegistrationError, Registry } from '../registry.js';
import { type AnyKysely, procedureTables } from '../store/open.js';

/** A set of stored values, one a key. */
export interface Summary<Value> {
  /** Stored with the marks. */
  readonly name: string;
  /** Computes the value of a key from the data. What it throws leaves the key marked, for the next run. */
  compute(key: string, ar: BaseRequest): Value | Promise<Value>;
  /**
   * Stores a value, in the transaction that takes the mark away. The transaction may be begun again: this does nothing
   * but ask and write through `tx`.
   */
  store(key: string, value: Awaited<Value>, tx: Kysely<Database>): void | Promise<void>;
  /** All keys there are, for when the summary is computed whole: `linod checksummaries --all`. */
  keys?(ar: BaseRequest): Iterable<string> | AsyncIterable<string> | Promise<Iterable<string>>;
  /** What the nightly run computes: keys that were marked, the default, or all of them, which needs `keys`. */
  readonly nightly?: 'dirty' | 'all' | undefined;
  /** Summaries that this one is computed from. They are computed before, and what changes in them is dirty here. */
  readonly depends?: readonly Dependency[] | undefined;
}

/** A summary that another one is computed from. */
export interface Dependency {
  readonly summary: string;
  /** The keys that are no longer true when a key of that summary was stored. Default: the same key. */
  keys?(key: string): Iterable<string>;
}

/** A registered summary, without the type of its values. */
export type AnySummary = Summary<unknown>;

export const summaries = new Registry<AnySummary>(
  'summary',
  v.pipe(
    v.looseObject({
      compute: v.function(),
      store: v.function(),
      keys: v.optional(v.function()),
      nightly: v.optional(v.picklist(['dirty', 'all'])),
      depends: v.optional(v.array(v.looseObject({ summary: v.string() }))),
    }),
    v.check(
      ({ nightly, keys }) => nightly !== 'all' || keys !== undefined,
      'expected a function keys, since it is computed whole',
    ),
  ),
);

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
  const circle = circleOf(summary);
  if (circle !== undefined)
    throw new InvalidRegistrationError(`summary ${JSON.stringify(summary.name)}`, circle);
  return summaries.add(summary as AnySummary);
}

/** Whether a summary would be computed from itself. */
function circleOf<Value>({ name, depends = [] }: Summary<Value>): string | undefined {
  const known = new Map(Array.from(summaries, (other) => [other.name, other.depends ?? []]));
  const find = (path: readonly string[], dependencies: readonly Dependency[]): string | undefined => {
    for (const { summary } of dependencies) {
      const longer = [...path, summary];
      if (summary === name) return `it would be computed from itself: ${longer.join(' → ')}`;
      const found = find(longer, known.get(summary) ?? []);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return find([name], depends);
}

/** In the order in which they are computed: each behind those that it depends on. */
export function inOrder(wanted: Iterable<AnySummary>): AnySummary[] {
  const list = [...wanted];
  const ordered = new Set<AnySummary>();
  const visit = (summary: AnySummary): void => {
    for (const { summary: name } of summary.depends ?? []) {
      const before = list.find((other) => other.name === name);
      if (before !== undefined && !ordered.has(before)) visit(before);
    }
    ordered.add(summary);
  };
  for (const summary of list) visit(summary);
  return [...ordered];
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
      .values(
        all.slice(i, i + batchSize).map((key) => {
          return { summary, key, version: 1, marked_at: at.getTime(), failures: 0, last_error: null };
        }),
      )
      .onConflict((conflict) =>
        conflict
          .columns(['summary', 'key'])
          .doUpdateSet((eb) => ({ version: eb('dirty_summaries.version', '+', 1) })),
      )
      .execute();
  }
}
