// Values as plain JSON with tags where JSON has no such value, as in test/vectors and test/interop/peer.py.

import { ExtensionValue, Float } from '../../channels/codec/msgpack.js';

/** Makes the value of its JSON form: `{"$bytes": …}` a Uint8Array, `{"$int": …}` a bigint, `{"$float": …}` a Float… */
export function fromTagged(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(fromTagged);
  if (typeof json !== 'object' || json === null) return json;
  const entries = Object.entries(json);
  const [tag, inner] = entries.length === 1 ? (entries[0] ?? []) : [];
  if (tag === '$bytes') return new Uint8Array(Buffer.from(String(inner), 'base64'));
  if (tag === '$int') return BigInt(String(inner));
  if (tag === '$float') return new Float(pythonFloat(String(inner)));
  if (tag === '$map' && isPairs(inner)) return mapOf(inner);
  if (tag === '$ext' && isPair(inner))
    return new ExtensionValue(Number(inner[0]), new Uint8Array(Buffer.from(String(inner[1]), 'base64')));
  return Object.fromEntries(entries.map(([key, value]) => [key, fromTagged(value)]));
}

/** The JSON form of a value, as the Python peer wants it. */
export function toTagged(value: unknown): unknown {
  if (typeof value === 'bigint') return { $int: String(value) };
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
    return { $float: Object.is(value, -0) ? '-0.0' : String(value).replace('Infinity', 'inf').toLowerCase() };
  if (value instanceof Float) return { $float: String(value.value).replace('Infinity', 'inf').toLowerCase() };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(toTagged);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toTagged(item)]));
}

/** What a value looks like after a journey: a Float has become a plain number. */
export function withoutFloats(value: unknown): unknown {
  if (value instanceof Float) return value.value;
  if (Array.isArray(value)) return value.map(withoutFloats);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, withoutFloats(item)]));
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array || value instanceof ExtensionValue) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutFloats(item)]));
}

function pythonFloat(text: string): number {
  return Number(text.replace('inf', 'Infinity'));
}

/** A dict of Python: an object if all keys are text, as the decoder does it. */
function mapOf(pairs: ReadonlyArray<readonly [unknown, unknown]>): unknown {
  const entries = pairs.map(([key, value]) => [fromTagged(key), fromTagged(value)] as const);
  return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries) : new Map(entries);
}

function isPair(value: unknown): value is readonly [unknown, unknown] {
  return Array.isArray(value) && value.length === 2;
}

function isPairs(value: unknown): value is ReadonlyArray<readonly [unknown, unknown]> {
  return Array.isArray(value) && value.every(isPair);
}
