// Messages of channels, as a person writes them on the command line and is shown them.

import { ExtensionValue, type Message } from '../../../channels/index.js';
import { UsageError } from '../../errors.js';
import { parseJson } from '../json-text.js';

/** What of a row is left for the message in a terminal that does not tell its width. */
const textLength = 120;
/** What stands before it in a row, about. */
const widthBefore = 50;

/**
 * Makes a message of a JSON object and, where that has none, a type.
 *
 * @param source what the text is called in errors: `the message`, `standard input`
 * @throws UsageError (`LINOD_ERR_USAGE`), with the line and column of what is no JSON
 */
export function parseMessageInput(source: string, text: string, type: string | undefined): Message {
  const found = parseJson(source, text);
  if (typeof found !== 'object' || found === null || Array.isArray(found))
    throw new UsageError(`expected ${source} to be a JSON object, got: ${kind(found)}`);
  const message: Record<string, unknown> = { ...found };
  if (type !== undefined && message.type !== undefined && message.type !== type)
    throw new UsageError(
      `${source} has the type ${JSON.stringify(message.type)}, and --type says ${JSON.stringify(type)}`,
    );
  const given = message.type ?? type;
  if (typeof given !== 'string' || given === '')
    throw new UsageError(
      `expected ${source} to have a type that is text, such as {"type": "worker.ping"}; or give it with --type`,
    );
  return { ...message, type: given };
}

function kind(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

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

/** How many characters of a message fit into a row of the terminal; in a pipe all do. */
export function roomForText(): number | undefined {
  const { isTTY, columns } = process.stdout;
  return isTTY ? Math.max(20, columns > 0 ? columns - widthBefore : textLength) : undefined;
}
