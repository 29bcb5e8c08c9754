// The two serializers of channels_redis.

import { InvalidOptionError } from '../errors.js';
import { decodeJson, encodeJson } from './json.js';
import { decode, encode } from './msgpack.js';

/** The values of `serializer_format` of channels_redis. */
export type SerializerName = 'msgpack' | 'json';

/** Encodes and decodes values. Throws InvalidMessageError and UndecodableError. */
export interface Serializer {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
  /**
   * Encodes all of a message except its last property. Returns a function that adds that property's value.
   * The bytes are those of `encode({ ...message, [lastKey]: value })`.
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

/** Returns the serializer of a name; default `msgpack`. @throws InvalidOptionError */
export function serializerOf(name: unknown = 'msgpack'): Serializer {
  if (name === 'msgpack') return msgpack;
  if (name === 'json') return json;
  throw new InvalidOptionError('serializer', '"msgpack" or "json"', name);
}
