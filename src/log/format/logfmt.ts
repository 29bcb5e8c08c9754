// logfmt: `key=value` pairs in one line, for grep and for programs.

import { type Fields, stringifyFields } from '../fields.js';
import { type FittedText, fit } from './fit.js';
import { headParts, type LineFormat } from './line-format.js';
import { escapeInJson, quoteSafely } from './unsafe.js';

const { clock, offset, level, sender, number, logger } = headParts;

/**
 * One line of pairs, the fields behind the message as pairs of their own:
 *
 *     time=2026-11-24T20:00:01.123+02:00 level=INFO sender=web[812] number=4811 logger=shop.orders msg="order paid" order=4711
 *
 * - A value stands bare if it is a number, `true`, `false`, `null`, or text that looks like none of these and has neither
 *   spaces nor quotes, `=`, `\` or characters beyond ASCII. All else is quoted as a JSON string, line breaks as `\n`; what is
 *   itself an object or a list, as its JSON in quotes.
 * - In a key, what may not stand there is `_`. A field whose key the record has already, or that begins with
 *   `fields.`, gets `fields.` before it.
 * - `trace` and `cut` come last, as in `json`.
 *
 * Source: https://brandur.org/logfmt; the grammar is that of github.com/kr/logfmt.
 */
export const logfmtFormat: LineFormat = {
  name: 'logfmt',
  time: 'iso',
  head(time, level, sender, number, logger) {
    return `time=${time} level=${level} sender=${sender} number=${number} logger=${logger} msg=`;
  },
  record: (head, text) => fit(head, text, (head, part) => head + body(part)),
  headPattern: new RegExp(
    `time=(\\d{4}-\\d\\d-\\d\\dT${clock}\\.\\d{3}${offset}) level=${level} sender=(?:${sender} number=${number}|- number=0) logger=${logger} (?=msg=)`,
    'y',
  ),
  readText(record, { end }) {
    const [message, ...rest] = readPairs(record.slice(end).trimEnd()) ?? [];
    if (message === undefined) return undefined;
    let trace: string | undefined;
    const fields: Record<string, unknown> = {};
    for (const { key, value } of rest) {
      if (key === 'trace') trace = String(value);
      else if (key !== 'cut') Object.defineProperty(fields, key.replace(/^fields\./, ''), property(value));
    }
    return {
      message: String(message.value),
      ...(Object.keys(fields).length === 0 ? {} : { fields }),
      ...(trace === undefined ? {} : { trace }),
    };
  },
};

const ownKeys = new Set(['time', 'level', 'sender', 'number', 'logger', 'msg', 'trace', 'cut']);
/** Visible ASCII without the double quote, `=` and the backslash. */
const bare = /^[!#-<>-[\]-~]+$/;
const looksLikeLiteral = /^(?:[-\d]|true$|false$|null$)/;

function body({ message, fields, trace, cut }: FittedText): string {
  let line = quoteText(message);
  if (fields !== undefined) line += formatFields(fields);
  if (trace !== undefined) line += ` trace=${quoteText(trace)}`;
  if (cut !== undefined) line += ` cut=${cut}`;
  return `${line}\n`;
}

function formatFields(fields: Fields): string {
  let line = '';
  for (const key of Object.keys(fields)) {
    const value = formatField(fields, key);
    if (value !== undefined) line += ` ${formatKey(key)}=${value}`;
  }
  return line;
}

function formatKey(key: string): string {
  const clean = bare.test(key) ? key : key.replace(/[^!#-<>-[\]-~]/gu, '_') || '_';
  return ownKeys.has(clean) || clean.startsWith('fields.') ? `fields.${clean}` : clean;
}

/** Undefined for what JSON would leave out, too. */
function formatField(fields: Fields, key: string): string | undefined {
  let value: unknown;
  try {
    value = fields[key];
  } catch (error) {
    value = `[unreadable: ${String(error)}]`;
  }
  if (typeof value === 'string') return quoteText(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return JSON.stringify(value);
  if (typeof value === 'bigint') return String(value);
  const json = stringifyFields({ value });
  if (!json.startsWith('{"value":')) return undefined;
  const inner = json.slice('{"value":'.length, -1);
  // A date is a string in JSON; what is neither that nor a literal is a structure, written as text.
  return /^[{[]/.test(inner) ? quoteSafely(escapeInJson(inner)) : escapeInJson(inner);
}

function quoteText(text: string): string {
  return bare.test(text) && !looksLikeLiteral.test(text) ? text : quoteSafely(text);
}

interface Pair {
  readonly key: string;
  readonly value: unknown;
}

/** The pairs of a line; undefined when something else stands in it. */
function readPairs(line: string): Pair[] | undefined {
  const pairs: Pair[] = [];
  const pair = /([^\s="]+)=("[^"\\]*(?:\\.[^"\\]*)*"|[^\s"]*)(?: |$)/y;
  while (pair.lastIndex < line.length) {
    const [, key = '', text = ''] = pair.exec(line) ?? [];
    if (key === '') return undefined;
    pairs.push({ key, value: readValue(text) });
  }
  return pairs;
}

function readValue(text: string): unknown {
  if (!text.startsWith('"') && !looksLikeLiteral.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // another program's escapes, or a time
  }
}

/** Also a field named `__proto__` is one of the object's own. */
function property(value: unknown): PropertyDescriptor {
  return { value, enumerable: true, configurable: true, writable: true };
}
