// JSON as channels_redis writes and reads it with `serializer_format="json"`: Python's `json.dumps` and `json.loads`.
//
// Not JSON.stringify and JSON.parse: Python puts spaces between items, escapes what is not ASCII, has NaN and Infinity,
// keeps 1.0 apart from 1, and its integers have any size.
//
// Source: docs/wire.md section 2; the `json` module of Python.

import { Reader } from './json/reader.js';
import { Writer } from './json/writer.js';

/**
 * Writes a value as Python's `json.dumps` with its defaults would.
 *
 * Takes what `encode` of msgpack.ts takes, with the same numbers as integers; but no byte strings and no extension
 * values, and a `bigint` of up to 4300 digits. Keys of a `Map` that are numbers, booleans or null become text.
 *
 * @throws InvalidMessageError (`CHANNELS_ERR_INVALID_MESSAGE`) naming the place of what cannot be sent
 * @example encodeJson({ type: 'chat.message', text: 'tere' })
 */
export function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(new Writer().write(value), 'latin1');
}

/**
 * Reads one value of JSON text in UTF-8, or of Python's, with `NaN`, `Infinity` and `-Infinity`. Of equal keys the last
 * one wins. Integers beyond 2^53-1 become `bigint`.
 *
 * @throws UndecodableError (`CHANNELS_ERR_UNDECODABLE`)
 */
export function decodeJson(bytes: Uint8Array): unknown {
  return new Reader(bytes).read();
}
