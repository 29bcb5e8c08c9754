// Where a logger's records go.

import type { LevelName } from '../base/log-levels.js';
import type { Fields } from './fields.js';

/** Takes records that passed their logger's level. A sender is one; so is whatever else wants to read along. */
export interface LogSink {
  /**
   * Must return quickly and must not throw.
   *
   * @param logger the logger's dotted name
   * @param trace lines that belong to the record and follow its message, such as an error's stack
   * @param at when it happened, in ms since 1970; now when left out
   */
  write(
    level: LevelName,
    logger: string,
    message: string,
    fields?: Fields,
    trace?: string,
    at?: number,
  ): void;
  /**
   * While it is not known which records are wanted: calls back as soon as it is, with the time of this call. What it
   * calls back decides, and writes.
   */
  defer?(record: (at: number | undefined) => void): void;
  /** Resolves when what was written is safe. Without it nothing needs to be waited for. */
  flush?(timeoutMs?: number): Promise<void>;
  /** Flushes and ends. Safe to call twice. */
  close?(): Promise<void>;
}
