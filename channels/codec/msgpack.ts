// MessagePack as channels_redis writes and reads it: a message in, bytes out, and back.
//
// Written by hand, since the published codecs fail vectors of wire.json whatever stands around them. Neither
// @msgpack/msgpack nor msgpackr writes a whole number as a float or a byte string as a key, both read invalid UTF-8
// and number keys, and both write sets, dates, lone surrogates and classes as something else without an error.
//
// Source: docs/reference/wire.md section 2; the MessagePack specification.

import { Decoder } from './msgpack-decoder.js';
import { Encoder } from './msgpack-encoder.js';

export { ExtensionValue, Float } from './msgpack-values.js';

/**
 * Writes a value as Python's packer with its defaults would.
 *
 * Text, `Uint8Array` (with `Buffer`), booleans, null, lists, plain objects and `Map`s with text or byte keys, to 511
 * levels. A number that is a safe integer is written as an integer in the shortest form, any other one (`-0` and
 * those beyond 2^53 included) as a 64-bit float; a `bigint` (-2^63 … 2^64-1) is always an integer, a `Float` always
 * a float. A property whose value is `undefined` is left out, as JSON does; in a list `undefined` is refused.
 *
 * @throws InvalidMessageError (`CHANNELS_ERR_INVALID_MESSAGE`) naming the place of what cannot be sent: `message.a[3]: …`
 * @example encode({ type: 'chat.message', text: 'tere' })
 */
export function encode(value: unknown): Uint8Array {
  return new Encoder().encode(value);
}

/**
 * Reads one value, in any valid encoding. Maps become plain objects, or a `Map` if a key is a byte string; of equal
 * keys the last one wins. Integers beyond 2^53-1 become `bigint`, extension types an `ExtensionValue`. Byte strings
 * are copies, so nothing of `bytes` is shared with the result.
 *
 * @throws UndecodableError (`CHANNELS_ERR_UNDECODABLE`) for bytes that are no such value, or more than one
 */
export function decode(bytes: Uint8Array): unknown {
  return new Decoder(bytes).decode();
}
