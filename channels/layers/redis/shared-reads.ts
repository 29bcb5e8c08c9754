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
  readonly beforeRead: () => void;
  readonly resolve: (entries: readonly Entry[] | undefined) => void;
}

/**
 * Reads in rounds. A round ends with an entry for one of those who share it, or with nothing; the others go on to the next
 * one without hearing of it, since waking ten who then wait again is most of what a process does that has nothing to do.
 */
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
   * Waits for the next entry from the first of the keys that has any. Empty when nothing is wanted any more. Undefined when
   * it does not work together with others: then read alone.
   *
   * @param beforeRead called before each further read
   */
  take(
    keys: readonly string[],
    isWanted: () => boolean,
    beforeRead: () => void,
  ): Promise<readonly Entry[] | undefined> {
    return new Promise((resolve) => {
      this.#next.push({ keys, isWanted, beforeRead, resolve });
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
    setImmediate(() => void this.#readWhileNothingComes());
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
  async #readWhileNothingComes(): Promise<void> {
    this.#reads ??= this.#options.borrow();
    try {
      await this.#reads.ready();
      this.#round = this.#next.splice(0);
      this.#dismiss([]);
      let isAlike = true;
      // Who came since the last read is asked for here, and not in it, so that nobody comes between the question and the read.
      while (isAlike && this.#round.length > 0 && this.#next.length === 0)
        isAlike = await this.#readOnce(this.#reads);
      this.#next = [...this.#round, ...this.#next];
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

  /** Returns whether the next read is for the same, unless others have come. */
  async #readOnce(reads: BlockingReads): Promise<boolean> {
    const keys = this.#round.flatMap(({ keys }) => keys);
    const isWanted = () => this.#round.some(({ isWanted }) => isWanted());
    const entries = await reads.take(keys, 1, isWanted);
    const isAnyoneGone = this.#dismiss(entries);
    for (const { beforeRead } of this.#round) beforeRead();
    // Without a connection, whoever comes is to wait for it with the others.
    return !isAnyoneGone && reads.isReady;
  }

  /** Lets those go for whom there is something, or who want nothing any more, and returns whether there were some. */
  #dismiss(entries: readonly Entry[]): boolean {
    const staying: Share[] = [];
    for (const share of this.#round) {
      const own = entries.filter(({ key }) => share.keys.includes(key));
      if (own.length > 0 || !share.isWanted()) share.resolve(own);
      else staying.push(share);
    }
    const isAnyoneGone = staying.length < this.#round.length;
    this.#round = staying;
    return isAnyoneGone;
  }

  /** Unless those of the last round have come again. */
  #rest(): void {
    if (this.#isRunning || this.#reads === undefined) return;
    this.#options.giveBack(this.#reads);
    this.#reads = undefined;
  }
}
