// What a sender still takes while its spool fills up.

import { type LevelName, LogLevels } from '../../base/log-levels.js';

/** From how full a spool on records of these levels are not taken; of what is below WARNING nothing is taken by then. */
const debugEndsAt = 0.5;
const infoEndsAt = 0.75;
/** While records are dropped, that is told no more often. */
const tellEveryMs = 1000;

const levelnos = new Map(Array.from(LogLevels, ({ value, levelno }) => [value, levelno]));
const [infoNo, warningNo] = [levelnos.get('INFO') ?? 0, levelnos.get('WARNING') ?? 0];

/** How many records of each level were dropped. */
export type DroppedCounts = Readonly<Partial<Record<LevelName, number>>>;

/**
 * Decides by level: DEBUG ends when half of the room is taken, INFO when three quarters are, WARNING and above when there
 * is none left. What is not taken gets no number and is counted.
 */
export class Pressure {
  /** The lowest level number that is taken. */
  #least = 0;
  #dropped: Partial<Record<LevelName, number>> = {};
  #isAnyDropped = false;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** Whether a record is taken; counts it when it is not. */
  admits(level: LevelName): boolean {
    if (this.#least === 0 || (levelnos.get(level) ?? 0) >= this.#least) return true;
    this.#dropped[level] = (this.#dropped[level] ?? 0) + 1;
    this.#isAnyDropped = true;
    return false;
  }

  /** @param fill how much of the room is taken, from 0 to 1 */
  update(fill: number): void {
    if (fill >= 1) this.#least = Number.POSITIVE_INFINITY;
    else if (fill >= infoEndsAt) this.#least = warningNo;
    else this.#least = fill >= debugEndsAt ? infoNo : 0;
  }

  /**
   * What was dropped since the last report; undefined when that is nothing, cannot be written, or was told a moment ago and
   * goes on.
   */
  report(now: number): DroppedCounts | undefined {
    if (!this.#isAnyDropped || this.#least > warningNo) return undefined;
    const sinceMs = now - this.#toldAt;
    if (this.#least > 0 && sinceMs >= 0 && sinceMs < tellEveryMs) return undefined;
    this.#toldAt = now;
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
