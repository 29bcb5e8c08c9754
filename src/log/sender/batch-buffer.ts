// Numbers a sender's records and collects their lines until the batch is large or old enough.

import type { Clock } from '../../base/clock.js';
import { type Batch, batchBytes } from '../batch.js';

/** Holds the lines of the next batch. A record costs one string concatenation. */
export class BatchBuffer {
  readonly #clock: Clock;
  readonly #onTimer: () => void;
  #lastNumber = 0;
  #text = '';
  #count = 0;
  #startedAt = 0;
  #cancelTimer: (() => void) | undefined;

  /** @param onTimer called `gatherMs` after the first record of a batch */
  constructor(clock: Clock, onTimer: () => void) {
    this.#clock = clock;
    this.#onTimer = onTimer;
  }

  /** The number of the last record. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** How many records are in the buffer. */
  get count(): number {
    return this.#count;
  }

  /** The number of the next record. Call {@link add} with its lines. */
  nextNumber(): number {
    return ++this.#lastNumber;
  }

  /** @returns whether the batch is complete: large enough, or older than `gatherMs` */
  add(lines: string, now: number, gatherMs: number): boolean {
    this.#text += lines;
    if (this.#count++ === 0) {
      this.#startedAt = now;
      this.#cancelTimer = this.#clock.after(gatherMs, this.#onTimer);
    }
    // A busy process runs no timers. A negative age means that the clock was set back.
    const ageMs = now - this.#startedAt;
    return this.#text.length >= batchBytes || ageMs > gatherMs || ageMs < 0;
  }

  /** Takes the batch out; undefined when there is none. */
  take(): Batch | undefined {
    if (this.#count === 0) return undefined;
    this.#cancelTimer?.();
    const count = this.#count;
    const batch = { first: this.#lastNumber - count + 1, count, bytes: Buffer.from(this.#text) };
    this.#text = '';
    this.#count = 0;
    return batch;
  }
}
