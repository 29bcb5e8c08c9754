// The readers of all keys that this process receives on.

import { setTimeout as pause } from 'node:timers/promises';
import { LayerClosedError } from '../../errors.js';
import type { Entry } from './blocking-reads.js';
import type { Host } from './host.js';
import { InflightWatch } from './inflight.js';
import { KeyReader } from './key-reader.js';

export interface KeyReadersOptions<T> {
  /** A key may be on each of them. */
  readonly hosts: readonly Host[];
  /** Reads an entry; undefined when it had to be dropped. */
  readonly accept: (entry: Entry) => T | undefined;
  readonly ttlMs: number;
}

/** A reader that nobody has used for so long is forgotten when a new one is made. */
const forgetAfterMs = 120_000;
/** How long `close` waits for blocked reads to be ended in good order. */
const closeWithinMs = 1000;

/** One reader a key. */
export class KeyReaders<T> {
  readonly #options: KeyReadersOptions<T>;
  readonly #readers = new Map<string, { readonly reader: KeyReader<T>; usedAt: number }>();
  #closed = false;

  constructor(options: KeyReadersOptions<T>) {
    this.#options = options;
  }

  /**
   * Waits for the next entries of a key: at least one, at most `max`. `watched` says whether Python peers may leave
   * something in its backup.
   */
  async take(key: string, watched: boolean, max: number, signal?: AbortSignal): Promise<T[]> {
    if (this.#closed) throw new LayerClosedError();
    return this.#reader(key, watched).take(max, signal);
  }

  /** Takes what is there now, at most `max` entries. @throws LayerUnavailableError */
  async takeNow(key: string, watched: boolean, max: number): Promise<T[]> {
    if (this.#closed) throw new LayerClosedError();
    return this.#reader(key, watched).takeNow(max);
  }

  /** Ends all waits with LayerClosedError and closes the hosts' blocked reads. Safe to call twice. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new LayerClosedError();
    const stopped = Promise.all(Array.from(this.#readers.values(), ({ reader }) => reader.stop(error)));
    const patience = new AbortController();
    await Promise.race([stopped, pause(closeWithinMs, undefined, { signal: patience.signal })]);
    patience.abort();
    for (const host of this.#options.hosts) host.closeReads();
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
    const { hosts, ttlMs, accept } = this.#options;
    const sources = hosts.map((host) => {
      const watch = watched ? new InflightWatch({ key, commands: host.commands, ttlMs }) : undefined;
      return { host, beforeRead: () => watch?.lookWhenDue() };
    });
    return new KeyReader({ keys: [key], sources, ttlMs, accept });
  }

  #forgetUnused(now: number): void {
    for (const [key, { reader, usedAt }] of this.#readers)
      if (!reader.busy && now - usedAt > forgetAfterMs) this.#readers.delete(key);
  }
}
