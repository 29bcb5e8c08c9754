// The readers of all keys that this process receives on, and the connections that they share.

import { setTimeout as pause } from 'node:timers/promises';
import { LayerClosedError } from '../../errors.js';
import { BlockingReads, type Entry } from './blocking-reads.js';
import type { Connection, ConnectionOptions } from './connection.js';
import { InflightWatch } from './inflight.js';
import { KeyReader } from './key-reader.js';

export interface KeyReadersOptions<T> {
  readonly connection: ConnectionOptions;
  readonly commands: Connection;
  /** Reads an entry; undefined when it had to be dropped. */
  readonly accept: (key: string, entry: Entry) => T | undefined;
  readonly ttlMs: number;
}

/** A reader that nobody has used for so long is forgotten when a new one is made. */
const forgetAfterMs = 120_000;
/** A connection that no read has needed for so long is closed. */
const closeAfterMs = 30_000;
/** How long `close` waits for blocked reads to be ended in good order. */
const closeWithinMs = 1000;

/**
 * One reader a key, one connection a reader that waits. A key of its own per connection is what keeps a busy channel
 * from holding up the others; how many keys a process waits on is a matter of its few channels, since all
 * process-specific ones lie under one key.
 */
export class KeyReaders<T> {
  readonly #options: KeyReadersOptions<T>;
  readonly #readers = new Map<string, { readonly reader: KeyReader<T>; usedAt: number }>();
  readonly #idle = new Map<BlockingReads, NodeJS.Timeout>();
  readonly #lent = new Set<BlockingReads>();
  #closed = false;

  constructor(options: KeyReadersOptions<T>) {
    this.#options = options;
  }

  /** Waits for the next entry of a key. `watched` says whether Python peers may leave something in its backup. */
  async take(key: string, watched: boolean, signal?: AbortSignal): Promise<T> {
    if (this.#closed) throw new LayerClosedError();
    return this.#reader(key, watched).take(signal);
  }

  /** Ends all waits with LayerClosedError and closes the connections. Safe to call twice. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new LayerClosedError();
    const stopped = Promise.all(Array.from(this.#readers.values(), ({ reader }) => reader.stop(error)));
    const patience = new AbortController();
    await Promise.race([stopped, pause(closeWithinMs, undefined, { signal: patience.signal })]);
    patience.abort();
    for (const timer of this.#idle.values()) clearTimeout(timer);
    for (const reads of [...this.#idle.keys(), ...this.#lent]) reads.close();
    await stopped;
  }

  #reader(key: string, watched: boolean): KeyReader<T> {
    const now = performance.now();
    let known = this.#readers.get(key);
    if (known === undefined) {
      this.#forgetUnused(now);
      known = { reader: this.#newReader(key, watched), usedAt: now };
      this.#readers.set(key, known);
    }
    known.usedAt = now;
    return known.reader;
  }

  #newReader(key: string, watched: boolean): KeyReader<T> {
    const { commands, ttlMs, accept } = this.#options;
    const watch = watched ? new InflightWatch({ key, commands, ttlMs }) : undefined;
    return new KeyReader({
      key,
      commands,
      ttlMs,
      borrow: () => this.#borrow(),
      giveBack: (reads) => this.#giveBack(reads),
      beforeRead: () => watch?.lookWhenDue(),
      accept: (entry) => accept(key, entry),
    });
  }

  #forgetUnused(now: number): void {
    for (const [key, { reader, usedAt }] of this.#readers)
      if (!reader.busy && now - usedAt > forgetAfterMs) this.#readers.delete(key);
  }

  #borrow(): BlockingReads {
    const [idle] = this.#idle;
    const reads = idle?.[0] ?? new BlockingReads(this.#options.connection);
    if (idle !== undefined) clearTimeout(idle[1]);
    this.#idle.delete(reads);
    this.#lent.add(reads);
    return reads;
  }

  #giveBack(reads: BlockingReads): void {
    this.#lent.delete(reads);
    if (this.#closed) {
      reads.close();
      return;
    }
    const timer = setTimeout(() => {
      this.#idle.delete(reads);
      reads.close();
    }, closeAfterMs);
    timer.unref();
    this.#idle.set(reads, timer);
  }
}
