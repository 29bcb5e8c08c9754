// Who takes messages from one key, for all who wait on it in this process.

import { setTimeout as pause } from 'node:timers/promises';
import { LayerUnavailableError } from '../../errors.js';
import { WaitingQueue } from '../../waiting-queue.js';
import type { BlockingReads, Entry } from './blocking-reads.js';
import type { Connection } from './connection.js';

export interface KeyReaderOptions<T> {
  readonly key: string;
  /** For everything but the blocked read. */
  readonly commands: Connection;
  /** Lends a connection for blocked reads, and takes it back. */
  readonly borrow: () => BlockingReads;
  readonly giveBack: (reads: BlockingReads) => void;
  /** Called before every read. */
  readonly beforeRead: () => void;
  /** Reads an entry; undefined when it had to be dropped. */
  readonly accept: (entry: Entry) => T | undefined;
  /** The TTL that an entry which is put back gives to a key without one. */
  readonly ttlMs: number;
}

const pauseAfterFailureMs = 1000;

/**
 * Reads for as long as somebody waits, one entry at a time. The entry goes to the one who has waited longest. When
 * nobody waits any more, the blocked read is ended; an entry that came back all the same is put back with its old
 * score, or, while Redis is away, kept for the next who asks.
 */
export class KeyReader<T> {
  readonly #options: KeyReaderOptions<T>;
  readonly #taken = new WaitingQueue<{ readonly entry: Entry; readonly value: T }>();
  #reads: BlockingReads | undefined;
  #run: Promise<void> | undefined;
  #stopping = false;

  constructor(options: KeyReaderOptions<T>) {
    this.#options = options;
  }

  /** Whether somebody waits, or something is still to be put back. */
  get busy(): boolean {
    return this.#run !== undefined || this.#taken.length > 0;
  }

  /** Waits for the next entry. An abort rejects with the signal's reason and takes nothing. */
  async take(signal?: AbortSignal): Promise<T> {
    const taken = this.#taken.take(signal);
    if (this.#taken.waiting > 0) this.#run ??= this.#readWhileWanted();
    try {
      return (await taken).value;
    } catch (error) {
      if (this.#taken.waiting === 0) this.#endBlockedRead();
      throw error;
    }
  }

  /** Ends all waits with the error; resolves when nothing is under way any more. */
  async stop(error: Error): Promise<void> {
    this.#stopping = true;
    this.#taken.fail(error);
    await this.#run;
  }

  async #readWhileWanted(): Promise<void> {
    const reads = this.#options.borrow();
    this.#reads = reads;
    try {
      while (this.#taken.waiting > 0 || this.#taken.length > 0) {
        if (this.#taken.waiting > 0) await this.#readOne(reads);
        else if (!(await this.#putBackOne()) && this.#stopping) break;
      }
    } catch (error) {
      this.#taken.fail(error);
    } finally {
      this.#reads = undefined;
      this.#run = undefined;
      this.#options.giveBack(reads);
    }
  }

  async #readOne(reads: BlockingReads): Promise<void> {
    this.#options.beforeRead();
    const entry = await reads.take(this.#options.key);
    if (entry === undefined) return;
    const value = this.#options.accept(entry);
    if (value !== undefined) this.#taken.put({ entry, value });
  }

  /** Returns whether it is back in Redis; if not, it is kept here. */
  async #putBackOne(): Promise<boolean> {
    const taken = this.#taken.shift();
    if (taken === undefined) return true;
    const { key, ttlMs, commands } = this.#options;
    const { member, score } = taken.entry;
    try {
      await commands.run((client) => client.putBack(1, key, ttlMs, score, member));
      return true;
    } catch (error) {
      // Whatever the reason, the message is ours until somebody takes it.
      this.#taken.put(taken);
      if (!this.#stopping && error instanceof LayerUnavailableError) await pause(pauseAfterFailureMs);
      return false;
    }
  }

  #endBlockedRead(): void {
    const stillWanted = () => this.#taken.waiting > 0;
    this.#reads?.unblock(this.#options.commands, stillWanted).catch(() => {
      // Without a connection there is no blocked read either, or it ends by itself within half a minute.
    });
  }
}
