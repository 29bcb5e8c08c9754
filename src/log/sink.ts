// Where a logger's records go.

import type { LevelName } from '../base/log-levels.js';
import type { Fields } from './fields.js';

/** Accepts records that passed their logger's level. The sender is one. */
export interface LogSink {
  /**
   * Must return quickly and must not throw.
   *
   * @param logger the logger's dotted name
   * @param trace lines that belong to the record and follow its message, such as an error's stack
   * @param at when it happened, in ms since 1970; default: now
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
   * Calls `record` once the levels are known, with the time of this call. `record` then checks the level and
   * writes.
   */
  defer?(record: (at: number | undefined) => void): void;
  /** Resolves when all records so far are safe. A sink without it needs no waiting. */
  flush?(timeoutMs?: number): Promise<void>;
  /** Flushes and ends. Safe to call twice. */
  close?(): Promise<void>;
}
