// Where a layer without a store of its own keeps what is reported: in this process, for this process.

import { countsKeptMs, type ProcessRecord, type Report } from './source.js';
import { addCounts, type Counts, noCounts } from './tally.js';

/** The reports of one layer object, which nobody else sees. */
export class LocalBoard {
  readonly #now: () => number;
  readonly #counts = new Map<string, { counts: Counts; usedAt: number }>();
  #record: ProcessRecord | undefined;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  put({ process, counts, receives, isLast }: Report): void {
    const now = this.#now();
    for (const [channel, more] of counts) {
      const before = this.#counts.get(channel)?.counts ?? noCounts;
      this.#counts.set(channel, { counts: addCounts(before, more), usedAt: now });
    }
    for (const [channel, { usedAt }] of this.#counts)
      if (usedAt < now - countsKeptMs) this.#counts.delete(channel);
    this.#record = { ...process, receives, seenAt: now, isAlive: !isLast, holdsEvents: false, leftAt: now };
  }

  counts(): ReadonlyMap<string, Counts> {
    return new Map(Array.from(this.#counts, ([channel, { counts }]) => [channel, counts]));
  }

  /** None before the first report. */
  processes(): readonly ProcessRecord[] {
    return this.#record === undefined ? [] : [this.#record];
  }

  clear(): void {
    this.#counts.clear();
  }
}
