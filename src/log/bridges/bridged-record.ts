// What the records of other logging libraries have in common.

import type { LevelName } from '../../base/log-levels.js';
import type { Fields } from '../fields.js';
import type { Logger } from '../logger.js';
import { loggerName } from '../names.js';

/** A record of another library. */
export interface BridgedRecord {
  readonly level: LevelName;
  /** The logger's whole name. */
  readonly logger: string;
  readonly message: string;
  readonly fields: Fields;
  /** Lines that follow the message, such as an error's stack. */
  readonly trace: string | undefined;
  /** When it happened, in ms since 1970; undefined for now. */
  readonly at: number | undefined;
}

/**
 * Levels as other libraries name them: those of pino, and npm's, syslog's and cli's, which are winston's
 * sets.
 */
export const levelsByName: Readonly<Record<string, LevelName>> = {
  ...{ emerg: 'CRITICAL', alert: 'CRITICAL', crit: 'CRITICAL', critical: 'CRITICAL', fatal: 'CRITICAL' },
  ...{ error: 'ERROR', warning: 'WARNING', warn: 'WARNING' },
  ...{ notice: 'INFO', help: 'INFO', data: 'INFO', info: 'INFO' },
  ...{ http: 'DEBUG', verbose: 'DEBUG', debug: 'DEBUG', prompt: 'DEBUG', input: 'DEBUG' },
  ...{ silly: 'DEBUG', trace: 'DEBUG' },
};

/** Loggers by their names, made when they are first needed. Beyond some number they are not kept. */
export class LoggersByName {
  readonly #base: Logger;
  readonly #known = new Map<string, Logger>();

  constructor(base: Logger) {
    this.#base = base;
    this.#known.set(base.name, base);
  }

  /** Writes a record with the logger of its name. */
  write({ level, logger: name, message, fields, trace, at }: BridgedRecord): void {
    const logger = this.#named(loggerName(name));
    const detail = Object.keys(fields).length === 0 ? undefined : fields;
    logger.record(level, message, detail, trace, at);
  }

  #named(name: string): Logger {
    let logger = this.#known.get(name);
    if (logger === undefined) {
      logger = this.#base.named(name);
      if (this.#known.size < 1000) this.#known.set(name, logger);
    }
    return logger;
  }
}
