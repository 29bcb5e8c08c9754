// Deleting much in transactions so short that nobody waits for them: of SQLite one locks the whole database.

import { setTimeout } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { BaseRequest, Database } from '../../src/index.js';

/** How long a transaction should take. What takes longer has the next ones do less. */
const targetMs = 4;
/** From a transaction to the next, a multiple of what it took: most of the time the database is free for others. */
const rest = 3;
const longestRestMs = 200;
/** Doubled and halved, so that there are few different statements. */
const sizes = { first: 25, least: 1, most: 1600 } as const;

export class ShortWrites {
  readonly #ar: BaseRequest;
  readonly #clock: { now(): number };
  #size: number = sizes.first;
  #longestMs = 0;

  /** @param clock tells how long a transaction takes */
  constructor(ar: BaseRequest, clock: { now(): number } = performance) {
    this.#ar = ar;
    this.#clock = clock;
  }

  /** How many rows the next transaction should be about. */
  get size(): number {
    return this.#size;
  }

  /**
   * How long the longest transaction took so far, in ms: from its begin until it was committed and, where it was SQLite's turn
   * to bring its log to the file, that was done. Meanwhile others may write again.
   */
  get longestMs(): number {
    return this.#longestMs;
  }

  /**
   * Writes in one transaction of the run, and then leaves the database to others for a while.
   *
   * @throws RunLostError (`LINOD_ERR_RUN_LOST`) when the run was given up
   */
  async write<T>(work: (tx: Transaction<Database>) => Promise<T>): Promise<T> {
    let began = 0;
    const result = await this.#ar.transaction(async (tx) => {
      began = this.#clock.now();
      return await work(tx);
    });
    const ms = this.#clock.now() - began;
    this.#longestMs = Math.max(this.#longestMs, ms);
    if (ms > targetMs) this.#size = Math.max(sizes.least, Math.floor(this.#size / 2));
    else if (ms < targetMs / 2) this.#size = Math.min(sizes.most, this.#size * 2);
    await setTimeout(Math.min(ms * rest, longestRestMs));
    return result;
  }

  /** Writes about many rows, as many at once as is good at the time. Ends early when the run is to end. @returns how many */
  async each(
    ids: readonly number[],
    work: (tx: Transaction<Database>, ids: readonly number[]) => Promise<void>,
  ): Promise<number> {
    let done = 0;
    while (done < ids.length && !this.#ar.signal.aborted) {
      const some = ids.slice(done, done + this.#size);
      await this.write(async (tx) => await work(tx, some));
      done += some.length;
    }
    return done;
  }
}
