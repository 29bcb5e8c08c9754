// A message as JSON, although messages have values that JSON has not.

import { ExtensionValue } from '../../../channels/index.js';

/**
 * The value with what JSON has no word for in words that it has: byte strings as `{"$bytes": "base64"}`, whole numbers
 * beyond 53 bits and numbers that are none as text, values of extension types as `{"$extension": code, "$bytes": …}`.
 */
export function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return bytes(value);
  if (Array.isArray(value)) return value.map(plainValue);
  if (value instanceof ExtensionValue) return { $extension: value.code, ...bytes(value.data) };
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [String(key), plainValue(item)]));
}

function bytes(value: Uint8Array): { $bytes: string } {
  return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
}
