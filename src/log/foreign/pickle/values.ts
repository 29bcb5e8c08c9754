// What a pickle of plain data may hold, and why one was not read.

import { LinodError } from '../../../errors.js';

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

/** The bytes are no pickle, or one that is broken. */
export class BadPickleError extends LinodError {
  constructor(problem: string) {
    super('LINOD_ERR_BAD_PICKLE', problem);
  }
}

/** The pickle wants something executed: it names a class or a function. Nothing of it was. */
export class UnsafePickleError extends LinodError {
  /** What it asks for, such as `GLOBAL datetime datetime`. */
  readonly wanted: string;

  constructor(wanted: string) {
    super('LINOD_ERR_UNSAFE_PICKLE', `only plain data is read, and this pickle wants ${wanted}`);
    this.wanted = wanted;
  }
}

/** The pickle holds more than is allowed. */
export class PickleLimitError extends LinodError {
  constructor(what: string, limit: number) {
    super('LINOD_ERR_PICKLE_LIMIT', `a pickle may have ${limit} ${what} at most, and this one has more`);
  }
}

/** Containers inside one another. */
const maxDepth = 100;
/** Values and bytes of text when everything that occurs in several places is written out. */
const maxExpanded = 2_000_000;

type Container = PickleValue[] | Map<PickleValue, PickleValue> | Set<PickleValue>;

interface Shape {
  readonly height: number;
  readonly size: number;
}

/**
 * Few bytes can name one list twice in the next, and that one twice in the next: a small pickle, and a text without end
 * for whoever writes it out. Each container is looked at once.
 *
 * @throws PickleLimitError (`LINOD_ERR_PICKLE_LIMIT`); BadPickleError when a value holds itself
 */
export function assertShape(value: PickleValue): void {
  measure(value, new Set(), new Map());
}

function measure(value: PickleValue, above: Set<Container>, known: Map<Container, Shape>): Shape {
  if (!isContainer(value))
    return {
      height: 0,
      size: 1 + (typeof value === 'string' || value instanceof Uint8Array ? value.length : 0),
    };
  const before = known.get(value);
  if (before !== undefined) return before;
  if (above.has(value)) throw new BadPickleError('the pickle has a value that holds itself');
  if (above.size >= maxDepth) throw new PickleLimitError('containers inside one another', maxDepth);
  above.add(value);
  let [height, size] = [1, 1];
  for (const child of value instanceof Map ? [...value].flat() : value) {
    const shape = measure(child, above, known);
    height = Math.max(height, shape.height + 1);
    size += shape.size;
  }
  above.delete(value);
  if (height > maxDepth) throw new PickleLimitError('containers inside one another', maxDepth);
  if (size > maxExpanded) throw new PickleLimitError('values and bytes of text, written out,', maxExpanded);
  known.set(value, { height, size });
  return { height, size };
}

function isContainer(value: PickleValue): value is Container {
  return Array.isArray(value) || value instanceof Map || value instanceof Set;
}
