// What a program logs with.

import { activeTraceId } from '../../channels/tracing/peer.js';
import { type LevelName, type LogLevel, LogLevels, parseLevel } from '../base/log-levels.js';
import { describeError } from './errors.js';
import type { Fields } from './fields.js';
import { type LevelSource, LevelTree, levelnoOf, type OwnLevel } from './levels/level-tree.js';
import { loggerName } from './names.js';
import { Redaction } from './redaction.js';
import type { LogSink } from './sink.js';

/** A sentence, or a function that makes it, which is called only if the record is wanted. */
export type LogMessage = string | (() => string);

export interface LoggerOptions {
  readonly sink: LogSink;
  /** Dotted, as in Python: `shop.orders`. */
  readonly name: string;
  /**
   * Records below it are dropped, unless `levels` says something stronger; default: what `levels` says, else
   * INFO.
   */
  readonly level?: LevelName | undefined;
  /** Which level holds for which name; default: INFO for all. */
  readonly levels?: LevelSource | undefined;
  /** Fields that each record gets. */
  readonly fields?: Fields | undefined;
  /** Paths of fields whose values do not get into the log, as {@link Redaction} reads them; a function for what is known later. */
  readonly redact?: readonly string[] | Redaction | (() => Redaction | undefined) | undefined;
}

/** What a logger has of the one whose child it is. */
interface Kin {
  readonly sink: LogSink;
  readonly levels: LevelSource;
  readonly redaction: () => Redaction | undefined;
  readonly parent: Logger | undefined;
}

/**
 * Takes records of five levels. A record is a sentence for the person who reads the log and, if need be,
 * fields for the machine. Nothing here waits or throws.
 *
 * @example
 * const logger = createLogger({ name: 'shop' }).child('orders', { tenant: 7 });
 * logger.info('order paid', { order: 4711 });
 * logger.debug(() => `the basket: ${describe(basket)}`);
 * logger.error('could not pay', error);
 */
export class Logger {
  readonly name: string;
  readonly #kin: Kin;
  readonly #fields: Fields | undefined;
  /** Set here; undefined where the settings and the loggers above decide. */
  #level: LevelName | undefined;
  /** The number of the level below which records are dropped, as of a version of the levels. */
  #threshold = 0;
  #thresholdOf = -1;

  /** @throws RedactPathError (`LINOD_ERR_REDACT_PATH`) */
  constructor(options: LoggerOptions, kin?: Kin) {
    const { sink, redact } = options;
    this.name = loggerName(options.name);
    this.#fields = options.fields;
    this.#level = options.level;
    this.#kin = kin ?? {
      sink,
      levels: options.levels ?? new LevelTree({}),
      redaction: typeof redact === 'function' ? redact : always(redact),
      parent: undefined,
    };
  }

  /** Records below this level are dropped. Unless set, it comes from the loggers above, or from the site. */
  get level(): LevelName {
    const threshold = this.#least();
    return [...LogLevels].find((level) => level.levelno >= threshold)?.value ?? 'CRITICAL';
  }

  /** A level's name, as `parseLevel` reads it. @throws UnknownLevelError (`LINOD_ERR_UNKNOWN_LEVEL`) */
  set level(level: string) {
    this.#level = parseLevel(level).value;
    this.#kin.levels.touch();
  }

  /** Whether a record of this level is logged. Ask before costly preparations. */
  isEnabledFor(level: LevelName | LogLevel): boolean {
    return (typeof level === 'string' ? levelnoOf(level) : level.levelno) >= this.#least();
  }

  debug(message: LogMessage, fields?: Fields): void {
    if (10 < this.#least()) return;
    this.#log('DEBUG', message, fields);
  }

  info(message: LogMessage, fields?: Fields): void {
    if (20 < this.#least()) return;
    this.#log('INFO', message, fields);
  }

  /**
   * @param message a sentence, a function that makes it, or an error
   * @param detail fields, or an error whose stack follows the message; fields may hold it as `error` or `err`
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

  /** The program cannot work until someone acts. Parameters as in {@link warning}. */
  critical(message: unknown, detail?: unknown): void {
    this.log('CRITICAL', message, detail);
  }

  /**
   * Logs with a level that is known only at run time. Parameters as in {@link warning}.
   *
   * @param at when it happened, in ms since 1970; default: now
   */
  log(level: LevelName, message: unknown, detail?: unknown, at?: number): void {
    if (levelnoOf(level) >= this.#least()) this.#log(level, message, detail, at);
  }

  /** Creates a logger below this one. Its records have these fields, too. */
  child(name: string, fields?: Fields): Logger {
    const { sink } = this.#kin;
    const redaction = this.#kin.redaction();
    // Before merging: afterwards, an object that contains itself is no longer recognised.
    const shown = fields && redaction ? redaction.apply(fields) : fields;
    const all = fields === undefined ? this.#fields : { ...this.#fields, ...shown };
    return loggerOf({ sink, name: `${this.name}.${name}`, fields: all }, { ...this.#kin, parent: this });
  }

  /**
   * Creates a logger of any name with this one's sink, level and redaction, but without its fields: for the
   * loggers of other logging libraries.
   */
  named(name: string): Logger {
    const { sink } = this.#kin;
    return loggerOf({ sink, name, level: this.#level }, { ...this.#kin, parent: undefined });
  }

  /**
   * Logs a record of another logging library.
   *
   * @param trace lines that follow the message, such as an error's stack
   * @param at when it happened, in ms since 1970; default: now
   */
  record(level: LevelName, message: string, fields?: Fields, trace?: string, at?: number): void {
    if (levelnoOf(level) >= this.#least()) this.#log(level, message, fields, at, trace);
  }

  /**
   * Resolves when every record so far is acknowledged by the logger coroutine or, without one, in the spool
   * on disk.
   *
   * @throws LogNotFlushedError (`LINOD_ERR_LOG_NOT_FLUSHED`) when neither is possible within `timeoutMs` ms
   * (default 5000)
   */
  async flush(timeoutMs?: number): Promise<void> {
    await this.#kin.sink.flush?.(timeoutMs);
  }

  /** Flushes, and closes the sink. Safe to call twice. */
  async close(): Promise<void> {
    await this.#kin.sink.close?.();
  }

  /** The number of the level below which records are dropped. Cached, since each record asks for it. */
  #least(): number {
    const { levels } = this.#kin;
    const { version } = levels;
    if (version !== this.#thresholdOf) {
      this.#threshold = levels.threshold(this.name, this.#ownLevel);
      this.#thresholdOf = version;
    }
    return this.#threshold;
  }

  /** The level that the program has set for a logger by name: this one or one above. */
  readonly #ownLevel: OwnLevel = (name) => {
    const { parent } = this.#kin;
    if (name === this.name && this.#level !== undefined) return this.#level;
    return parent === undefined ? undefined : parent.#ownLevel(name);
  };

  #log(level: LevelName, message: unknown, detail: unknown, at?: number, trace?: string): void {
    const { sink, levels } = this.#kin;
    const traceId = activeTraceId();
    if (levels.isSettled || sink.defer === undefined) {
      this.#write(level, message, detail, at, trace, traceId);
      return;
    }
    const kept = keep(detail);
    sink.defer((since) => {
      if (this.isEnabledFor(level)) this.#write(level, message, kept, at ?? since, trace, traceId, detail);
    });
  }

  #write(
    level: LevelName,
    message: unknown,
    detail: unknown,
    at: number | undefined,
    given: string | undefined,
    traceId: string | undefined,
    origin = detail,
  ): void {
    const { sink } = this.#kin;
    const redaction = this.#kin.redaction();
    const { text, trace = given } = readMessage(message, redaction);
    const { fields, error } = readDetail(detail);
    const all = this.#fields === undefined ? fields : { ...this.#fields, ...fields };
    const shown =
      all === undefined || redaction === undefined
        ? all
        : redaction.apply(all, isPlain(origin) ? [origin] : []);
    const more = error === undefined ? trace : join(trace, describeError(error, redaction));
    const sent = traceId === undefined ? shown : { trace_id: traceId, ...shown };
    sink.write(level, this.name, text, sent, more, at);
  }
}

function always(redact: readonly string[] | Redaction = []): Kin['redaction'] {
  const redaction = redact instanceof Redaction ? redact : Redaction.of(redact);
  return () => redaction;
}

interface MessageText {
  readonly text: string;
  readonly trace: string | undefined;
}

function readMessage(message: unknown, redaction: Redaction | undefined): MessageText {
  if (typeof message === 'string') return { text: message, trace: undefined };
  if (typeof message === 'function') return readLazily(message, redaction);
  const [text = '', ...rest] = describeError(message, redaction).split('\n');
  return { text, trace: rest.length === 0 ? undefined : rest.join('\n') };
}

/** A message that cannot be made must not fail its program. The record says why. */
function readLazily(make: CallableFunction, redaction: Redaction | undefined): MessageText {
  try {
    const made: unknown = Reflect.apply(make, undefined, []);
    // Called only once, since a function may return functions for ever.
    return readMessage(typeof made === 'function' ? String(made) : made, redaction);
  } catch (error) {
    const why = describeError(error, redaction);
    return { text: 'the message of this record could not be made', trace: why };
  }
}

function readDetail(detail: unknown): { fields?: Fields; error?: unknown } {
  if (detail === undefined) return {};
  if (detail instanceof Error) return { error: detail };
  if (!isPlain(detail)) return { fields: { detail } };
  try {
    for (const key of ['error', 'err']) {
      if (!(detail[key] instanceof Error)) continue;
      const { [key]: error, ...fields } = detail;
      return Object.keys(fields).length === 0 ? { error } : { fields, error };
    }
    return { fields: { ...detail } };
  } catch {
    return { fields: { detail } }; // reading it throws; the formatter shows what it can
  }
}

/** Copies the detail, since the caller may change it before it is formatted. */
function keep(detail: unknown): unknown {
  try {
    return isPlain(detail) && !(detail instanceof Error) ? { ...detail } : detail;
  } catch {
    return detail; // reading it throws; the formatter shows what it can
  }
}

function isPlain(detail: unknown): detail is Fields {
  return typeof detail === 'object' && detail !== null && !Array.isArray(detail);
}

function join(...texts: Array<string | undefined>): string {
  return texts.filter((text) => text !== undefined).join('\n');
}

/** A class whose own body names it has another name in the bundle. */
function loggerOf(...args: ConstructorParameters<typeof Logger>): Logger {
  return new Logger(...args);
}
