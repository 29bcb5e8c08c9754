// What a pickle of plain data may hold.

/** Python's list and tuple become an array, dict a Map, set and frozenset a Set, bytes a Uint8Array, int a number or a bigint. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>;

/** What is too much; the defaults are for a log record. */
export interface PickleLimits {
  /** Bytes of the pickle; default 1 MiB. */
  readonly bytes: number;
  /** Values, marks and memo entries that it makes; default 50,000. */
  readonly values: number;
  /** Containers inside one another; default 100. */
  readonly depth: number;
  /** Values and bytes of text when everything that occurs in several places is written out; default 2,000,000. */
  readonly expanded: number;
}

export const pickleLimits: PickleLimits = {
  bytes: 1024 ** 2,
  values: 50_000,
  depth: 100,
  expanded: 2_000_000,
};
