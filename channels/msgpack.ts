// MessagePack as channels_redis writes and reads it: a message in, bytes out, and back.
//
// Our own codec, since the published ones do not meet docs/wire.md section 2: @msgpack/msgpack writes a bigint
// always in nine bytes, accepts invalid UTF-8 and number keys and refuses the key `__proto__`; msgpackr writes
// integers beyond 32 bits as doubles, accepts invalid UTF-8 and renames `__proto__`. Neither bounds the nesting
// as the Python packer does or refuses lone surrogates.
//
// Source: docs/wire.md section 2; the MessagePack specification.

import { Decoder } from './msgpack/decoder.js';
import { Encoder } from './msgpack/encoder.js';

export { ExtensionValue, Float } from './msgpack/values.js';

/**
 * Writes a value as Python's packer with its defaults would.
 *
 * Text, `Uint8Array` (with `Buffer`), booleans, null, lists, plain objects and `Map`s with text or byte keys, to 511
 * levels. A number that is a safe integer is written as an integer in the shortest form, any other one (`-0` and
 * those beyond 2^53 included) as a 64-bit float; a `bigint` (-2^63 … 2^64-1) is always an integer, a `Float` always
 * a float. A property whose value is `undefined` is left out, as JSON does; in a list `undefined` is refused.
 *
 * @throws InvalidMessageError (`CHANNELS_ERR_INVALID_MESSAGE`) naming the place of what cannot be sent: `message.a[3]: …`
 * @param room so many bytes before the value are left to the caller to fill; default 0
 * @example encode({ type: 'chat.message', text: 'tere' })
 */
export function encode(value: unknown, room = 0): Uint8Array {
  // A getter inside of the value may come back here, so the encoder is out of reach while it works.
  const encoder = spareEncoder ?? new Encoder();
  spareEncoder = undefined;
  try {
    return encoder.encode(value, room);
  } finally {
    spareEncoder = encoder;
  }
}

let spareEncoder: Encoder | undefined;

/**
 * Reads one value, in any valid encoding. Maps become plain objects, or a `Map` if a key is a byte string; of equal
 * keys the last one wins. Integers beyond 2^53-1 become `bigint`, extension types an `ExtensionValue`. Byte strings
 * are copies, so nothing of `bytes` is shared with the result.
 *
 * @param from where the value begins; default 0
 * @throws UndecodableError (`CHANNELS_ERR_UNDECODABLE`) for bytes that are no such value, or more than one
 */
export function decode(bytes: Uint8Array, from = 0): unknown {
  return new Decoder(bytes, from).decode();
}
