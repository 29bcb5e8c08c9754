// Which records a sender still accepts while its spool fills up.

import { type LevelName, LogLevels } from '../../base/log-levels.js';

/** From this fill on, DEBUG is dropped. */
const debugEndsAt = 0.5;
/** From this fill on, everything below WARNING is dropped. */
const infoEndsAt = 0.75;
/** Minimum time between two checks of the fill. */
const checkEveryMs = 100;
/** Minimum time between two reports while records are dropped. */
const reportEveryMs = 1000;

const levelnos = new Map(Array.from(LogLevels, ({ value, levelno }) => [value, levelno]));
const [infoNo, warningNo] = [levelnos.get('INFO') ?? 0, levelnos.get('WARNING') ?? 0];

/** How many records of each level were dropped. */
export type DroppedCounts = Readonly<Partial<Record<LevelName, number>>>;

/**
 * Decides by level: DEBUG ends at half of the room, INFO at three quarters, WARNING and above when the spool
 * is full. A dropped record gets no number and is counted.
 */
export class Pressure {
  /** The lowest level number that is accepted. */
  #least = 0;
  #dropped: Partial<Record<LevelName, number>> = {};
  #isAnyDropped = false;
  #checkedAt = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;

  /** Whether a record is accepted; counts it if not. */
  admits(level: LevelName): boolean {
    if (this.#least === 0 || (levelnos.get(level) ?? 0) >= this.#least) return true;
    this.#dropped[level] = (this.#dropped[level] ?? 0) + 1;
    this.#isAnyDropped = true;
    return false;
  }

  /** Whether it is time to call {@link update} again. */
  isCheckDue(now: number): boolean {
    return now - this.#checkedAt >= checkEveryMs || now < this.#checkedAt;
  }

  /** @param fill how full the spool is, from 0 to 1 */
  update(fill: number, now: number): void {
    this.#checkedAt = now;
    if (fill >= 1) this.#least = Number.POSITIVE_INFINITY;
    else if (fill >= infoEndsAt) this.#least = warningNo;
    else this.#least = fill >= debugEndsAt ? infoNo : 0;
  }

  /**
   * What was dropped since the last report. Undefined when nothing was dropped, when a warning finds no room,
   * or when the last report is recent and records are still dropped.
   */
  report(now: number): DroppedCounts | undefined {
    if (!this.#isAnyDropped || this.#least > warningNo) return undefined;
    const sinceMs = now - this.#reportedAt;
    if (this.#least > 0 && sinceMs >= 0 && sinceMs < reportEveryMs) return undefined;
    this.#reportedAt = now;
    this.#isAnyDropped = false;
    const dropped = this.#dropped;
    this.#dropped = {};
    return dropped;
  }
}

/** All levels together. */
export function droppedCount(dropped: DroppedCounts): number {
  return Object.values(dropped).reduce((sum, number) => sum + number, 0);
}

/** `12 records were dropped …`, for the log. */
export function droppedSentence(dropped: DroppedCounts): string {
  const count = droppedCount(dropped);
  return `${count} ${count === 1 ? 'record was' : 'records were'} dropped here, since the spool of this process is full`;
}
