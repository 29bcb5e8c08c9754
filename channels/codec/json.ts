// JSON as channels_redis writes and reads it with `serializer_format="json"`: Python's `json.dumps` and
// `json.loads`.
//
// JSON.stringify cannot write it: Python puts spaces between items, escapes non-ASCII characters, and writes
// 1.0 and 1 differently. JSON.parse reads it after NaN, Infinity and large integers are replaced.
//
// Source: docs/reference/wire.md section 2; the `json` module of Python.

import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { UndecodableError } from '../errors.js';
import { JsonWriter, maxDigits } from './json-writer.js';

/**
 * Encodes a value as Python's `json.dumps` does.
 *
 * Accepts what `encode` of msgpack.ts accepts, without byte strings and extension values. A `bigint` may have
 * 4,300 digits. `Map` keys that are numbers, booleans or null become text.
 *
 * @throws InvalidMessageError (`CHANNELS_ERR_INVALID_MESSAGE`) with the path of the value that cannot be sent
 * @example encodeJson({ type: 'chat.message', text: 'tere' })
 */
export function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(new JsonWriter().write(value), 'latin1');
}

/**
 * Decodes one JSON value in UTF-8, including Python's `NaN`, `Infinity` and `-Infinity`. The last of equal
 * keys counts. Integers beyond 2^53-1 become `bigint`.
 *
 * @throws UndecodableError (`CHANNELS_ERR_UNDECODABLE`)
 */
export function decodeJson(bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) throw new UndecodableError('the text is not valid UTF-8');
  const { text, specials } = takeOutSpecials(Buffer.from(bytes).toString('utf8'));
  const putBack = (key: string, value: unknown) => {
    if (specials.has(key)) throw new UndecodableError('a key is no text');
    return specials.get(value) ?? value;
  };
  try {
    return JSON.parse(text, specials.size === 0 ? undefined : putBack);
  } catch {
    // JSON.parse's error quotes the text, which may be secret.
    throw new UndecodableError('the text is no JSON');
  }
}

/** The deepest nesting, as in MessagePack. */
const maxDepth = 1024;

/** Strings (whose content is skipped), brackets and numbers. The end of a string may be missing. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"?|[[\]{}]|NaN|-?Infinity|-?\d[\d.eE+-]*/g;

/** Marks a replaced value. It is random, so no message contains it. */
const mark = randomUUID();

/** Replaces what JSON.parse cannot read by texts, and returns the value of each text. Limits the nesting. */
function takeOutSpecials(json: string): { text: string; specials: ReadonlyMap<unknown, number | bigint> } {
  const specials = new Map<unknown, number | bigint>();
  let depth = 0;
  const text = json.replace(tokens, (token) => {
    if (token === '[' || token === '{') depth++;
    if (token === ']' || token === '}') depth--;
    if (depth > maxDepth) throw new UndecodableError(`values are nested deeper than ${maxDepth} levels`);
    // Python has no integer -0.
    if (token === '-0') return '0';
    const special = specialNumber(token);
    if (special === undefined) return token;
    const replacement = `${mark} ${specials.size}`;
    specials.set(replacement, special);
    return `"${replacement}"`;
  });
  return { text, specials };
}

function specialNumber(token: string): number | bigint | undefined {
  if (/^(?:NaN|-?Infinity)$/.test(token)) return Number(token);
  if (!/^-?[1-9]\d{15,}$/.test(token) || Number.isSafeInteger(Number(token))) return undefined;
  if (token.length > maxDigits)
    throw new UndecodableError(`the text has an integer of more than ${maxDigits} digits`);
  return BigInt(token);
}
