// A transport for pino: `pino.transport({ target: 'linod/pino', options: { site, name } })`.
//
// pino loads this module in a worker thread of the program and writes lines of JSON to what it exports. There
// a logger of linod takes them, so that the program's own thread pays for pino's line only.

import { hostname } from 'node:os';
import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { suggestion } from '../../base/errors.js';
import { levelAtMost } from '../../base/log-levels.js';
import { type CreateLoggerOptions, createLogger, createLoggerOptions } from '../create-logger.js';
import { checkOptions } from '../logger-options.js';
import { readGivenTime } from '../socket/given-time.js';
import { type BridgedRecord, LoggersByName, levelsByName } from './bridged-record.js';

export interface PinoTransportOptions extends CreateLoggerOptions {
  /** pino's `messageKey`; default `msg`. */
  readonly messageKey?: string | undefined;
  /** pino's `errorKey`; default `err`. */
  readonly errorKey?: string | undefined;
}

/**
 * Makes the stream that pino writes to. Levels: trace and debug are DEBUG, info INFO, warn WARNING, error
 * ERROR, fatal CRITICAL, and a custom level is the one below it. `name`, as of `pino({ name })` or a child,
 * is the logger's name; `time` stays; an error's stack follows the message; everything else is fields.
 *
 * Which records arrive is decided twice: by pino's level in the program's thread, and by linod's levels here.
 *
 * @throws as createLogger does; pino then emits `error`
 * @example
 * const logger = pino({ level: 'debug' }, pino.transport({ target: 'linod/pino', options: { name: 'web' } }));
 */
export default function pinoTransport(options: PinoTransportOptions = {}): Writable {
  checkOptions('linod/pino', likeOurs(options), optionNames);
  const { messageKey = 'msg', errorKey = 'err', site, name, level, redact } = options;
  const logger = createLogger({ site, name, level, redact });
  const loggers = new LoggersByName(logger);
  const decoder = new StringDecoder('utf8');
  let begun = '';

  const take = (text: string): void => {
    const lines = (begun + text).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      loggers.write(readLine(line, { logger: logger.name, messageKey, errorKey }));
    }
  };
  /** A failed flush gives a process warning. The records are kept. */
  const flush = (done: () => void): void => {
    logger.flush().then(done, done);
  };
  const stream = new Writable({
    decodeStrings: true,
    /** Never keeps pino waiting: what waits there takes the program's memory. */
    write(chunk: Buffer, _encoding, done) {
      take(decoder.write(chunk));
      done();
    },
    final(done) {
      take(`${decoder.end()}\n`);
      logger.close().then(
        () => done(),
        () => done(),
      );
    },
  });
  // pino's `logger.flush(callback)` asks for it.
  return Object.assign(stream, { flush });
}

const optionNames = [...createLoggerOptions, 'messageKey', 'errorKey'];

/** pino adds its own options, such as `$context`, so that only misspelt options of ours are refused. */
function likeOurs(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => suggestion(name, optionNames) !== ''));
}

interface Keys {
  readonly logger: string;
  readonly messageKey: string;
  readonly errorKey: string;
}

function readLine(line: string, keys: Keys): BridgedRecord {
  let found: unknown;
  try {
    found = JSON.parse(line);
  } catch {
    found = undefined; // a line that something else wrote: better as it is than not at all
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found))
    return { level: 'INFO', logger: keys.logger, message: line, fields: {}, trace: undefined, at: undefined };
  const {
    level,
    time,
    name,
    pid,
    hostname: host,
    [keys.messageKey]: message,
    [keys.errorKey]: error,
    ...fields
  } = found as Record<string, unknown>;
  const { trace, rest, headline } = readError(error);
  const isForeign = pid !== process.pid || host !== hostname();
  return {
    level: readLevel(level),
    logger: typeof name === 'string' && name !== '' ? name : keys.logger,
    message:
      message === undefined ? headline : typeof message === 'string' ? message : JSON.stringify(message),
    fields: {
      ...fields,
      ...(isForeign && pid !== undefined ? { pid } : {}),
      ...(isForeign && host !== undefined ? { hostname: host } : {}),
      ...(rest === undefined ? {} : { [keys.errorKey]: rest }),
    },
    trace,
    at: readGivenTime(time),
  };
}

/** pino's numbers are Python's and ten; with a formatter, a level may also be its label. */
function readLevel(level: unknown): BridgedRecord['level'] {
  if (typeof level === 'number') return levelAtMost(level - 10);
  const name = String(level).toLowerCase();
  return (Object.hasOwn(levelsByName, name) ? levelsByName[name] : undefined) ?? 'INFO';
}

/** The stacks of a serialised error become lines; what else it has stays a field. */
function readError(error: unknown): { trace: string | undefined; rest: unknown; headline: string } {
  if (typeof error !== 'object' || error === null)
    return { trace: undefined, rest: error, headline: error === undefined ? '' : String(error) };
  const { type, message, stack, aggregateErrors, ...rest } = error as Record<string, unknown>;
  if (typeof stack !== 'string') return { trace: undefined, rest: error, headline: String(message ?? '') };
  const inner = Array.isArray(aggregateErrors) ? aggregateErrors.map((each) => readError(each)) : [];
  const traces = [stack, ...inner.map((each) => each.trace ?? each.headline)];
  return {
    trace: traces.join('\n'),
    rest: Object.keys(rest).length === 0 ? undefined : { type, ...rest },
    headline: String(message ?? ''),
  };
}
