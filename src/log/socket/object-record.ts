// Records that come as objects with the names of Python's LogRecord: from JSON lines and from pickles.

import { parserOf } from '../../base/parse-message.js';
import { decodeVisibly } from '../format/visible-utf8.js';
import { type LogRecord, logRequestSchemas } from '../messages.js';
import type { PickleValue } from './pickle.js';

const parse = parserOf(logRequestSchemas[1]);

/** What `log.record` knows. */
const known = new Set(Object.keys(logRequestSchemas[1].entries));

/**
 * What else Python puts into every record, and what of a line of the log would only repeat it. Source:
 * logging.LogRecord.
 */
const dropped = new Set([
  ...['args', 'pathname', 'filename', 'module', 'exc_info', 'lineno', 'funcName', 'msecs', 'relativeCreated'],
  ...['thread', 'threadName', 'taskName', 'asctime'],
]);

/**
 * Makes a record of an object. Keys that no record has, such as those of Python's `extra`, become fields; so
 * does the name of a thread that is not the main one.
 *
 * @throws BadMessageError (`LINOD_ERR_BAD_MESSAGE`) when a value is of the wrong kind
 */
export function recordOfObject(object: Readonly<Record<string, unknown>>): LogRecord {
  const entries = Object.entries(object);
  const { threadName, fields, msg } = object;
  const own = isRecord(fields) ? fields : fields === undefined || fields === null ? {} : { fields };
  const all = {
    ...own,
    ...Object.fromEntries(entries.filter(([key]) => !known.has(key) && !dropped.has(key))),
  };
  if (typeof threadName === 'string' && threadName !== 'MainThread') all.thread = threadName;
  return parse({
    ...Object.fromEntries(entries.filter(([key, value]) => known.has(key) && value !== null)),
    // Python logs whatever has a text, also numbers.
    msg: msg === undefined || msg === null || typeof msg === 'string' ? (msg ?? undefined) : String(msg),
    fields: Object.keys(all).length > 0 ? all : undefined,
    type: 'log.record',
  });
}

/** A pickled dict with text as keys, as an object; undefined when it is none. */
export function objectOfPickle(value: PickleValue): Record<string, unknown> | undefined {
  if (!(value instanceof Map)) return undefined;
  return Object.fromEntries(Array.from(value, ([key, item]) => [keyText(key), plain(item)]));
}

function keyText(key: PickleValue): string {
  return typeof key === 'string' ? key : JSON.stringify(plain(key), asText);
}

/** As JSON has it. Its depth and size were limited when it was read. */
function plain(value: PickleValue): unknown {
  if (value instanceof Map) return objectOfPickle(value);
  if (value instanceof Uint8Array) return decodeVisibly(value);
  if (value instanceof Set) return Array.from(value, plain);
  return Array.isArray(value) ? value.map(plain) : value;
}

function asText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
