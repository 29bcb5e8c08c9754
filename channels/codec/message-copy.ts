// Copies of messages, of which nobody may see another's changes: of one that was read once and goes to several
// receivers, and of one that stays in this process.

import type { Received } from '../application.js';
import { decode, encode } from './msgpack.js';
import { ExtensionValue } from './msgpack-values.js';

/**
 * Returns what a receiver elsewhere would get of a message, sharing nothing with it.
 *
 * @throws InvalidMessageError for what cannot be sent
 */
export function copyAsSent(message: object): Received {
  return decode(encode(message)) as Received;
}

/** Copies a value that a codec has read, which costs less than to read it anew. */
export function copyOf<T>(value: T): T {
  return (typeof value === 'object' && value !== null ? copyOfObject(value) : value) as T;
}

function copyOfObject(value: object): object {
  if (Array.isArray(value)) return value.map(copyOf);
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Map) return new Map(Array.from(value, ([key, each]) => [copyOf(key), copyOf(each)]));
  if (value instanceof ExtensionValue) return new ExtensionValue(value.code, new Uint8Array(value.data));
  // Unlike assignment to an empty object this keeps a key `__proto__` what it is, data.
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copyOf(each)]));
}
