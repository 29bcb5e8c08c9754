// From a message to bytes and back, in the two forms that channels_redis has.

import { InvalidOptionError } from '../errors.js';
import { decodeJson, encodeJson } from './json.js';
import { decode, encode } from './msgpack.js';

/** The names of the original's `serializer_format`. */
export type SerializerName = 'msgpack' | 'json';

/** Writes and reads values; what it refuses is an InvalidMessageError or an UndecodableError. */
export interface Serializer {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
  /**
   * Writes a message once but for a last property, and returns what completes it with each value of that. The bytes
   * are those of `encode({ ...message, [lastKey]: value })`.
   */
  encodeBut(message: Readonly<Record<string, unknown>>, lastKey: string): (lastValue: unknown) => Uint8Array;
}

const msgpack: Serializer = {
  encode,
  decode,
  encodeBut(message, lastKey) {
    // The value, here one byte for null, ends the map.
    const beginning = encode({ ...message, [lastKey]: null }).subarray(0, -1);
    return (lastValue) => Buffer.concat([beginning, encode(lastValue)]);
  },
};

const json: Serializer = {
  encode: encodeJson,
  decode: decodeJson,
  encodeBut(message, lastKey) {
    const beginning = encodeJson({ ...message, [lastKey]: null }).subarray(0, -'null}'.length);
    const end = Buffer.from('}');
    return (lastValue) => Buffer.concat([beginning, encodeJson(lastValue), end]);
  },
};

/** The serializer of a name, `msgpack` when there is none. @throws InvalidOptionError */
export function serializerOf(name: unknown = 'msgpack'): Serializer {
  if (name === 'msgpack') return msgpack;
  if (name === 'json') return json;
  throw new InvalidOptionError('serializer', '"msgpack" or "json"', name);
}
