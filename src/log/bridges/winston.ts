// A transport for winston: `winston.createLogger({ transports: [new LinodTransport({ name: 'web' })] })`.

import { stripVTControlCharacters } from 'node:util';
import TransportStream from 'winston-transport';
import { type LevelName, parseLevel } from '../../base/log-levels.js';
import { type CreateLoggerOptions, createLogger, createLoggerOptions } from '../create-logger.js';
import { describeError } from '../errors.js';
import type { Logger } from '../logger.js';
import { checkOptions } from '../logger-options.js';
import { readGivenTime } from '../socket/given-time.js';
import { type BridgedRecord, LoggersByName, levelsByName } from './bridged-record.js';

export interface LinodTransportOptions
  extends Omit<CreateLoggerOptions, 'level'>,
    TransportStream.TransportStreamOptions {
  /** What winston's levels are in the log, besides those that are known: `{ audit: 'WARNING' }`. */
  readonly levelMap?: Readonly<Record<string, LevelName>> | undefined;
}

/** Ours and those of winston's transports. */
const knownOptions = [
  ...createLoggerOptions,
  ...['levelMap', 'format', 'silent', 'handleExceptions', 'handleRejections', 'highWaterMark'],
  ...['log', 'logv', 'close'],
];

/**
 * Hands what winston logs to a logger of linod.
 *
 * Levels are mapped by their names: emerg, alert and crit are CRITICAL, warn and warning WARNING, notice
 * INFO, http, verbose and silly DEBUG. A level of one's own is INFO unless `levelMap` says something else. A
 * text `label` or `name` among the fields, as of `logger.child({ name: 'orders' })`, is the logger's name; a
 * `timestamp` that is a time stays the record's; a stack follows the message; everything else is fields.
 *
 * Which records arrive is decided twice: by winston's level, and by linod's.
 *
 * @throws as createLogger does
 * @example
 * const logger = winston.createLogger({ level: 'debug', transports: [new LinodTransport({ name: 'web' })] });
 */
export class LinodTransport extends TransportStream {
  readonly #logger: Logger;
  readonly #loggers: LoggersByName;
  readonly #levels: Readonly<Record<string, LevelName>>;

  constructor(options: LinodTransportOptions = {}) {
    checkOptions('LinodTransport', options, knownOptions);
    const { site, name, redact, levelMap = {}, ...stream } = options;
    super(stream);
    this.#levels = {
      ...levelsByName,
      ...Object.fromEntries(Object.entries(levelMap).map(([key, level]) => [key, parseLevel(level).value])),
    };
    this.#logger = createLogger({ site, name, redact });
    this.#loggers = new LoggersByName(this.#logger);
  }

  /**
   * Never keeps winston waiting: what waits in winston's streams is unbounded, and lost when `logger.end()`
   * is called.
   */
  override log(info: unknown, done: () => void): void {
    this.#loggers.write(this.#read(info));
    done();
  }

  /** At `logger.end()`: `finish` comes when all is acknowledged or on disk. */
  override _final(done: (error?: Error | null) => void): void {
    this.#logger.close().then(
      () => done(),
      () => done(),
    );
  }

  /** Called by winston when the transport is removed. */
  override close(): void {
    this.#logger.close().catch(() => undefined);
  }

  #read(info: unknown): BridgedRecord {
    const found = info instanceof Error ? partsOf(info) : isObject(info) ? info : { message: info };
    const { level, message, timestamp, label, name, stack, exception, rejection, ...fields } =
      found as Record<string, unknown>;
    const named = [label, name].find((text) => typeof text === 'string' && text !== '');
    const { error, rest } = takeError(fields);
    const trace = typeof stack === 'string' ? stack : error === undefined ? undefined : describeError(error);
    const at = readGivenTime(timestamp);
    const isCrash = exception === true || rejection === true;
    return {
      level: isCrash ? 'CRITICAL' : (this.#levels[plainLevel(level)] ?? 'INFO'),
      logger: typeof named === 'string' ? named : this.#logger.name,
      message: textOf(message, error),
      fields: isCrash
        ? withoutSurroundings(rest)
        : at === undefined && timestamp !== undefined
          ? { ...rest, timestamp }
          : rest,
      trace,
      at,
    };
  }
}

/** `winston.format.colorize` puts the level between escape sequences. */
function plainLevel(level: unknown): string {
  return stripVTControlCharacters(String(level)).toLowerCase();
}

/** `logger.error(new Error(…))` hands over the error itself, with its level written on it. */
function partsOf(error: Error): Record<string, unknown> {
  const stack = error.stack ?? error.message;
  const cause = error.cause === undefined ? '' : `\ncaused by: ${describeError(error.cause)}`;
  return { ...error, message: error.message, stack: stack + cause };
}

function isObject(info: unknown): info is Record<string, unknown> {
  return typeof info === 'object' && info !== null;
}

function takeError(fields: Record<string, unknown>): {
  error: Error | undefined;
  rest: Record<string, unknown>;
} {
  for (const key of ['error', 'err']) {
    const { [key]: error, ...rest } = fields;
    if (error instanceof Error) return { error, rest };
  }
  return { error: undefined, rest: fields };
}

function textOf(message: unknown, error: Error | undefined): string {
  if (typeof message === 'string') return message;
  if (message === undefined) return error?.message ?? '';
  return message instanceof Error ? message.message : (describeError(message).split('\n')[0] ?? '');
}

/** Of a crash, winston adds the machine, the process and each line of the stack once more. */
function withoutSurroundings(fields: Record<string, unknown>): Record<string, unknown> {
  const { trace: _trace, os: _os, process: _process, date: _date, ...rest } = fields;
  return rest;
}
