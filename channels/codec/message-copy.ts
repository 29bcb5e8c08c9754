// Copies of messages, so that no receiver sees another's changes.

import type { Received } from '../application.js';
import { decode, encode } from './msgpack.js';
import { ExtensionValue } from './msgpack-values.js';

/**
 * Returns a copy as a receiver in another process would get it.
 *
 * @throws InvalidMessageError for what cannot be sent
 */
export function copyAsSent(message: object): Received {
  return decode(encode(message)) as Received;
}

/** Copies a decoded value, which is cheaper than to decode it again. */
export function copyOf<T>(value: T): T {
  return (typeof value === 'object' && value !== null ? copyOfObject(value) : value) as T;
}

function copyOfObject(value: object): object {
  if (Array.isArray(value)) return value.map(copyOf);
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Map) return new Map(Array.from(value, ([key, each]) => [copyOf(key), copyOf(each)]));
  if (value instanceof ExtensionValue) return new ExtensionValue(value.code, new Uint8Array(value.data));
  // A key `__proto__` stays data: the copy has it before anything is assigned to it.
  const copy: Record<string, unknown> = { ...value };
  for (const key of Object.keys(copy)) if (typeof copy[key] === 'object') copy[key] = copyOf(copy[key]);
  return copy;
}
