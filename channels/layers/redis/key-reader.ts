// Who takes messages from one key, for all who wait on it in this process.

import { setTimeout as pause } from 'node:timers/promises';
import { LayerUnavailableError } from '../../errors.js';
import { WaitingQueue } from '../../waiting-queue.js';
import type { BlockingReads, Entry } from './blocking-reads.js';
import type { Host } from './host.js';

/** One of the hosts on which the key may be. */
export interface KeySource {
  readonly host: Host;
  /** Called before every read. */
  readonly beforeRead: () => void;
}

export interface KeyReaderOptions<T> {
  readonly key: string;
  readonly sources: readonly KeySource[];
  /** Reads an entry; undefined when it had to be dropped. */
  readonly accept: (entry: Entry) => T | undefined;
  /** The TTL that an entry which is put back gives to a key without one. */
  readonly ttlMs: number;
}

interface Taken<T> {
  readonly entry: Entry;
  readonly value: T;
  readonly host: Host;
}

const pauseAfterFailureMs = 1000;
/** How long the other hosts' reads go on when nobody waits any more, for a receiver that asks one by one. */
const lingerMs = 50;

/**
 * Reads on all hosts for as long as somebody waits, one entry at a time on each. An entry goes to the one who has waited
 * longest. When nobody waits any more, the blocked reads are ended; an entry that came back all the same is put back
 * with its old score, or, while Redis is away, kept for the next who asks.
 */
export class KeyReader<T> {
  readonly #options: KeyReaderOptions<T>;
  readonly #taken = new WaitingQueue<Taken<T>>();
  /** The reads under way, by their sources. */
  readonly #running = new Map<KeySource, { readonly reads: BlockingReads; readonly ended: Promise<void> }>();
  #puttingBack: Promise<void> | undefined;
  #linger: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: KeyReaderOptions<T>) {
    this.#options = options;
  }

  /** Whether somebody waits, or something is still to be put back. */
  get busy(): boolean {
    return this.#running.size > 0 || this.#puttingBack !== undefined || this.#taken.length > 0;
  }

  /** Waits for the next entry. An abort rejects with the signal's reason and takes nothing. */
  async take(signal?: AbortSignal): Promise<T> {
    const taken = this.#taken.take(signal);
    if (this.#taken.waiting > 0) this.#readEverywhere();
    try {
      return (await taken).value;
    } catch (error) {
      if (this.#taken.waiting === 0) this.#endBlockedReads();
      throw error;
    }
  }

  /** Ends all waits with the error; resolves when nothing is under way any more. */
  async stop(error: Error): Promise<void> {
    this.#stopping = true;
    this.#taken.fail(error);
    this.#endBlockedReads();
    await Promise.all(Array.from(this.#running.values(), ({ ended }) => ended));
    await this.#puttingBack;
  }

  #readEverywhere(): void {
    clearTimeout(this.#linger);
    for (const source of this.#options.sources) {
      if (this.#running.has(source)) continue;
      const reads = source.host.borrow();
      this.#running.set(source, { reads, ended: this.#readWhileWanted(source, reads) });
    }
  }

  async #readWhileWanted(source: KeySource, reads: BlockingReads): Promise<void> {
    try {
      while (this.#taken.waiting > 0) await this.#readOne(source, reads);
    } catch (error) {
      this.#taken.fail(error);
    } finally {
      this.#running.delete(source);
      source.host.giveBack(reads);
    }
    if (this.#taken.length > 0) this.#puttingBack ??= this.#putBackWhileUnwanted();
    if (this.#running.size > 0 && this.#taken.waiting === 0) this.#endBlockedReadsSoon();
  }

  async #readOne({ host, beforeRead }: KeySource, reads: BlockingReads): Promise<void> {
    beforeRead();
    const entry = await reads.take(this.#options.key);
    if (entry === undefined) return;
    const value = this.#options.accept(entry);
    if (value !== undefined) this.#taken.put({ entry, value, host });
  }

  async #putBackWhileUnwanted(): Promise<void> {
    // A receiver that asks one by one asks for the next within this turn of the event loop.
    if (this.#options.sources.length > 1) await new Promise((resolve) => setImmediate(resolve));
    for (let taken = this.#taken.shift(); taken !== undefined; taken = this.#taken.shift())
      if (!(await this.#putBack(taken)) && this.#stopping) break;
    this.#puttingBack = undefined;
  }

  /** Returns whether it is back in Redis; if not, it is kept here. */
  async #putBack(taken: Taken<T>): Promise<boolean> {
    const { key, ttlMs } = this.#options;
    const { member, score } = taken.entry;
    try {
      await taken.host.commands.run((client) => client.putBack(1, key, ttlMs, score, member));
      return true;
    } catch (error) {
      // Whatever the reason, the message is ours until somebody takes it.
      this.#taken.put(taken);
      if (!this.#stopping && error instanceof LayerUnavailableError) await pause(pauseAfterFailureMs);
      return false;
    }
  }

  #endBlockedReadsSoon(): void {
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => {
      if (this.#taken.waiting === 0) this.#endBlockedReads();
    }, lingerMs);
  }

  #endBlockedReads(): void {
    clearTimeout(this.#linger);
    const stillWanted = () => this.#taken.waiting > 0;
    for (const [{ host }, { reads }] of this.#running)
      reads.unblock(host.commands, stillWanted).catch(() => {
        // Without a connection there is no blocked read either, or it ends by itself within some seconds.
      });
  }
}
