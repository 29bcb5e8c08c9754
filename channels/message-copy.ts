// A message that was read once and goes to several receivers, of whom none may see another's changes.

import { ExtensionValue } from './msgpack/values.js';

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
