// MessagePack as channels_redis encodes and decodes it.
//
// Written by hand: the published codecs write some values differently from Python, accept invalid input, and
// encode unsupported values without an error.
// @msgpack/msgpack nor msgpackr writes a whole number as a float or a byte string as a key, both read invalid
//   UTF-8 and number keys, and both write sets, dates, lone surrogates and classes as something else without
//   an error.
//
// Source: docs/reference/wire.md section 2; the MessagePack specification.

import { Decoder } from './msgpack-decoder.js';
import { Encoder } from './msgpack-encoder.js';

export { ExtensionValue, Float } from './msgpack-values.js';

/**
 * Encodes a value as Python's packer does.
 *
 * Accepts text, `Uint8Array`, booleans, null, lists, plain objects and `Map`s with text or byte keys, nested
 * up to 511 levels. Safe integers are encoded as the shortest integer, other numbers as 64-bit floats. A
 * `bigint` is always an integer, a `Float` always a float. It skips properties that are `undefined`, as JSON
 * does, and refuses `undefined` in a list.
 *
 * @throws InvalidMessageError (`CHANNELS_ERR_INVALID_MESSAGE`) with the path of the value: `message.a[3]: …`
 *   `message.a[3]: …`
 * @example encode({ type: 'chat.message', text: 'tere' })
 */
export function encode(value: unknown): Uint8Array {
  return new Encoder().encode(value);
}

/**
 * Decodes one value. Maps become plain objects, or a `Map` if a key is a byte string. The last of equal keys
 * counts. Integers beyond 2^53-1 become `bigint`, extension types an `ExtensionValue`. The result shares
 * nothing with `bytes`.
 *
 * @throws UndecodableError (`CHANNELS_ERR_UNDECODABLE`) unless `bytes` are exactly one value
 */
export function decode(bytes: Uint8Array): unknown {
  return new Decoder(bytes).decode();
}
