// Copies of messages, of which nobody may see another's changes: of one that was read once and goes to several
// receivers, and of one that stays in this process.

import type { Received } from './application.js';
import { ExtensionValue } from './msgpack/values.js';
import { decode, encode } from './msgpack.js';
import { isPlainObject } from './plain-object.js';

/**
 * Returns what a receiver elsewhere would get of a message, sharing nothing with it. What MessagePack leaves as it is
 * gets copied, at a third of the cost; a message with anything else in it is written and read.
 *
 * @throws InvalidMessageError for what cannot be sent
 */
export function copyAsSent(message: object): Received {
  return (copyOfPlain(message, 0) ?? decode(encode(message))) as Received;
}

/** Beyond so many containers in each other the codec has its say; so it has about one that contains itself. */
const mostNested = 50;

/** Undefined where the codec has to decide. */
function copyOfPlain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.isWellFormed() ? value : undefined;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object' || depth > mostNested) return undefined;
  if (Array.isArray(value)) return copyOfList(value, depth);
  return isPlainObject(value) ? copyOfDict(value, depth) : undefined;
}

function copyOfList(list: readonly unknown[], depth: number): unknown[] | undefined {
  const copy: unknown[] = [];
  for (let i = 0; i < list.length; i++) {
    const each = copyOfPlain(list[i], depth + 1);
    if (each === undefined) return undefined;
    copy.push(each);
  }
  return copy;
}

function copyOfDict(object: Readonly<Record<string, unknown>>, depth: number): object | undefined {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(object)) {
    const each = copyOfPlain(object[key], depth + 1);
    if (each === undefined || key === '__proto__' || !key.isWellFormed()) return undefined;
    copy[key] = each;
  }
  return copy;
}

/**
 * Copies a value that a codec has read. It costs a fraction of reading it anew, above all for a group's message, which
 * carries the names of all its channels.
 */
export function copyOf<T>(value: T): T {
  return (typeof value === 'object' && value !== null ? copyOfObject(value) : value) as T;
}

function copyOfObject(value: object): object {
  if (Array.isArray(value)) return value.map(copyOf);
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Map) return new Map(Array.from(value, ([key, each]) => [copyOf(key), copyOf(each)]));
  if (value instanceof ExtensionValue) return new ExtensionValue(value.code, new Uint8Array(value.data));
  // Unlike assignment to an empty object this keeps a key `__proto__` what it is, data.
  const copy: Record<string, unknown> = { ...value };
  for (const key in copy) {
    const each = copy[key];
    if (typeof each === 'object' && each !== null) copy[key] = copyOfObject(each);
  }
  return copy;
}
