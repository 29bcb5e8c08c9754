// Summaries: values that an application computes from its data and stores by key, to avoid repeated
// computation.

import type { Kysely } from 'kysely';
import * as v from 'valibot';
import type { BaseRequest, Database } from '../../src/index.js';
import { InvalidRegistrationError, Registry } from '../shared/registry.js';
import { type AnyKysely, procedureTables } from '../store/open.js';

/** A set of stored values, one for each key. */
export interface Summary<Value> {
  /** Stored with the marks. */
  readonly name: string;
  /** Computes the value of a key from the data. After an error the key stays marked for the next run. */
  compute(key: string, ar: BaseRequest): Value | Promise<Value>;
  /**
   * Stores a value, in the transaction that removes the mark. The transaction may be retried, so this must
   * only read and write through `tx`.
   */
  store(key: string, value: Awaited<Value>, tx: Kysely<Database>): void | Promise<void>;
  /** All keys, for a complete recomputation: `linod checksummaries --all`. */
  keys?(ar: BaseRequest): Iterable<string> | AsyncIterable<string> | Promise<Iterable<string>>;
  /** What the nightly run computes: marked keys (default), or all keys, which needs `keys`. */
  readonly nightly?: 'dirty' | 'all' | undefined;
  /**
   * Summaries that this one is computed from. They are computed first, and their changes mark keys of this
   * one.
   */
  readonly depends?: readonly Dependency[] | undefined;
}

/** A summary that another one is computed from. */
export interface Dependency {
  readonly summary: string;
  /** The keys that a new value of that summary outdates. Default: the same key. */
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
      "expected a function keys with nightly: 'all'",
    ),
  ),
);

/**
 * Registers a summary. The nightly `checksummaries` recomputes its marked keys.
 *
 * @returns a function that removes it
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

/** The cycle through a summary, in words, if there is one. */
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

/** In the order of computation: each after its dependencies. */
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

/** Rows of one statement: SQLite limits the number of values. */
const batchSize = 1000;

/**
 * Marks keys as outdated. Call it in the transaction that changes the data, so that no change is missed. A
 * mark during the computation of its key stays for the next run.
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
