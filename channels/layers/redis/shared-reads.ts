// One blocked read for many keys on which nothing comes.
//
// A key of which something comes is read on a connection of its own, so that it holds up no other. But a process that
// waits on a hundred channels, mostly in vain, would have a hundred connections, and hear on each of them every few
// seconds that there is nothing. So those on which nothing comes are waited on together.

import type { BlockingReads, Entry } from './blocking-reads.js';
import type { Connection } from './connection.js';

export interface SharedReadsOptions {
  /** To end a read that is under way. */
  readonly commands: Connection;
  /** Lends a connection for the reads. */
  readonly borrow: () => BlockingReads;
  readonly giveBack: (reads: BlockingReads) => void;
}

/** One who waits for something under some of the keys. */
interface Share {
  readonly keys: readonly string[];
  readonly isWanted: () => boolean;
  readonly resolve: (entries: readonly Entry[] | undefined) => void;
}

/** Reads in rounds: each ends for all who share it, with an entry for one of them or with nothing, and they come again. */
export class SharedReads {
  readonly #options: SharedReadsOptions;
  /** Those of the round under way, and those of the next. */
  #round: readonly Share[] = [];
  #next: Share[] = [];
  #reads: BlockingReads | undefined;
  #isRunning = false;
  /** Whether the round under way is being ended for those who came meanwhile. */
  #isEnding = false;

  constructor(options: SharedReadsOptions) {
    this.#options = options;
  }

  /** How many wait. */
  get size(): number {
    return this.#round.length + this.#next.length;
  }

  /** When the server last let us in or answered, in ms of this process's clock. */
  get heardAt(): number | undefined {
    return this.#reads?.heardAt;
  }

  /**
   * Waits for the next entry from the first of the keys that has any. Empty when there was none for some seconds, or
   * when the wait was ended, for whatever reason: then try again. Undefined when it does not work together with others:
   * then read alone.
   */
  take(keys: readonly string[], isWanted: () => boolean): Promise<readonly Entry[] | undefined> {
    return new Promise((resolve) => {
      this.#next.push({ keys, isWanted, resolve });
      if (!this.#isRunning) this.#begin();
      else if (this.#round.length > 0 && !this.#isEnding) this.#endForNext();
    });
  }

  /** Ends the round under way for one who has no use for it any more, unless `stillWanted` says yes. */
  async unblock(stillWanted: () => boolean): Promise<void> {
    await this.#reads?.unblock(this.#options.commands, stillWanted);
  }

  #begin(): void {
    this.#isRunning = true;
    // When those whose last wait ended in the same moment have come, too.
    setImmediate(() => void this.#readOnce());
  }

  #endForNext(): void {
    this.#isEnding = true;
    this.unblock(() => false).catch(() => {
      // As of a user who may not do that.
      this.#isEnding = false;
      for (const share of this.#next.splice(0)) share.resolve(undefined);
    });
  }

  /** Never rejects. */
  async #readOnce(): Promise<void> {
    this.#reads ??= this.#options.borrow();
    try {
      await this.#reads.ready();
      const all = this.#next.splice(0);
      this.#round = all.filter(({ isWanted }) => isWanted());
      for (const share of all) if (!this.#round.includes(share)) share.resolve([]);
      const keys = this.#round.flatMap(({ keys }) => keys);
      const isWanted = () => this.#round.some(({ isWanted }) => isWanted());
      const entries = keys.length === 0 ? [] : await this.#reads.take(keys, 1, isWanted);
      for (const share of this.#round) share.resolve(entries.filter(({ key }) => share.keys.includes(key)));
    } catch {
      // A key that holds something else fails the read of all. Who reads it alone hears of it.
      for (const share of [...this.#round, ...this.#next.splice(0)]) share.resolve(undefined);
    }
    this.#round = [];
    this.#isRunning = false;
    this.#isEnding = false;
    if (this.#next.length > 0) this.#begin();
    else setImmediate(() => this.#rest());
  }

  /** Unless those of the last round have come again. */
  #rest(): void {
    if (this.#isRunning || this.#reads === undefined) return;
    this.#options.giveBack(this.#reads);
    this.#reads = undefined;
  }
}
