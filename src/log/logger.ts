// What a program logs with.

import { inspect } from 'node:util';
import type { Fields } from './fields.js';
import { loggerName } from './format.js';
import { type LevelName, type LogLevel, LogLevels, parseLevel } from './levels.js';
import type { LogSink } from './sink.js';

export interface LoggerOptions {
  readonly sink: LogSink;
  /** Dotted, as in Python: `shop.orders`. */
  readonly name: string;
  /** Records below it are dropped; default INFO. */
  readonly level?: LevelName | undefined;
  /** Fields that each record gets. */
  readonly fields?: Fields | undefined;
}

const levelnos = Object.fromEntries(Array.from(LogLevels, (level) => [level.value, level.levelno])) as Record<
  LevelName,
  number
>;

/**
 * Takes records of five levels. A record is a sentence for the person who reads the log and, if need be, fields for
 * the machine. Nothing here waits or throws.
 *
 * @example
 * const logger = createLogger({ name: 'shop' }).child('orders', { tenant: 7 });
 * logger.info('order paid', { order: 4711 });
 * logger.error('could not pay', error);
 */
export class Logger {
  readonly name: string;
  readonly #sink: LogSink;
  readonly #parent: Logger | undefined;
  readonly #fields: Fields | undefined;
  /** Undefined where the parent's counts. */
  #level: LevelName | undefined;

  constructor(options: LoggerOptions, parent?: Logger) {
    this.name = loggerName(options.name);
    this.#sink = options.sink;
    this.#fields = options.fields;
    this.#level = options.level;
    this.#parent = parent;
  }

  /** Records below it are dropped. Unless it was set, it is that of the logger whose child this is. */
  get level(): LevelName {
    return this.#level ?? this.#parent?.level ?? 'INFO';
  }

  /** A level's name, as `parseLevel` reads it. @throws UnknownLevelError (`LINOD_ERR_UNKNOWN_LEVEL`) */
  set level(level: string) {
    this.#level = parseLevel(level).value;
  }

  /** Whether a record of this level would be kept: worth asking before costly preparations. */
  isEnabledFor(level: LevelName | LogLevel): boolean {
    const levelno = typeof level === 'string' ? levelnos[level] : level.levelno;
    return levelno >= levelnos[this.level];
  }

  debug(message: string, fields?: Fields): void {
    this.log('DEBUG', message, fields);
  }

  info(message: string, fields?: Fields): void {
    this.log('INFO', message, fields);
  }

  /**
   * @param message a sentence, or an error
   * @param detail fields, or an error whose stack follows the message; fields may hold it as `error`
   */
  warning(message: unknown, detail?: unknown): void {
    this.log('WARNING', message, detail);
  }

  /** The same as {@link warning}. */
  warn(message: unknown, detail?: unknown): void {
    this.log('WARNING', message, detail);
  }

  /** Something failed. Parameters as in {@link warning}: `error(err)` or `error('could not pay', err)`. */
  error(message: unknown, detail?: unknown): void {
    this.log('ERROR', message, detail);
  }

  /** Nothing works any more until someone acts. Parameters as in {@link warning}. */
  critical(message: unknown, detail?: unknown): void {
    this.log('CRITICAL', message, detail);
  }

  /** Logs with a level that is known only at run time. Parameters as in {@link warning}. */
  log(level: LevelName, message: unknown, detail?: unknown): void {
    if (!this.isEnabledFor(level)) return;
    const { text, trace } = readMessage(message);
    const { fields, error } = readDetail(detail);
    const all = this.#fields === undefined ? fields : { ...this.#fields, ...fields };
    const more = error === undefined ? trace : join(trace, describe(error));
    this.#sink.write(level, this.name, text, all, more);
  }

  /** A logger named below this one, whose records have these fields, too. */
  child(name: string, fields?: Fields): Logger {
    const all = fields === undefined ? this.#fields : { ...this.#fields, ...fields };
    return new Logger({ sink: this.#sink, name: `${this.name}.${name}`, fields: all }, this);
  }

  /**
   * Resolves when every record so far is acknowledged by the logger coroutine or, when there is none, spooled on
   * disk.
   *
   * @throws LogNotFlushedError (`LINOD_ERR_LOG_NOT_FLUSHED`) when neither was possible within `timeoutMs` ms (5000)
   */
  async flush(timeoutMs?: number): Promise<void> {
    await this.#sink.flush?.(timeoutMs);
  }

  /** Flushes, and closes what carries the records. Safe to call twice. */
  async close(): Promise<void> {
    await this.#sink.close?.();
  }
}

function readMessage(message: unknown): { text: string; trace: string | undefined } {
  if (typeof message === 'string') return { text: message, trace: undefined };
  const [text = '', ...rest] = describe(message).split('\n');
  return { text, trace: rest.length === 0 ? undefined : rest.join('\n') };
}

function readDetail(detail: unknown): { fields?: Fields; error?: unknown } {
  if (detail === undefined) return {};
  if (detail instanceof Error) return { error: detail };
  if (typeof detail !== 'object' || detail === null || Array.isArray(detail)) return { fields: { detail } };
  if ('error' in detail && detail.error instanceof Error) {
    const { error, ...fields } = detail;
    return Object.keys(fields).length === 0 ? { error } : { fields, error };
  }
  return { fields: { ...detail } };
}

/** An error with its stack, its own fields and what caused it. */
function describe(value: unknown): string {
  try {
    return inspect(value, { depth: 4, breakLength: 110 });
  } catch (error) {
    return `[a value that cannot be shown: ${String(error)}]`;
  }
}

function join(...texts: Array<string | undefined>): string {
  return texts.filter((text) => text !== undefined).join('\n');
}
