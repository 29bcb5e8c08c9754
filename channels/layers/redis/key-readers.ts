// The readers of all keys that this process receives on.

import { setTimeout as pause } from 'node:timers/promises';
import { LayerClosedError } from '../../errors.js';
import type { Listening } from '../../listening.js';
import type { Entry } from './blocking-reads.js';
import { Comeback } from './comeback.js';
import type { Host } from './host.js';
import { InflightWatch } from './inflight.js';
import { KeyReader } from './key-reader.js';
import type { LeaseKeys } from './lease-keys.js';

export interface KeyReadersOptions<T> {
  /** A key may be on each of them. */
  readonly hosts: readonly Host[];
  /** Reads an entry; undefined when it had to be dropped. */
  readonly accept: (entry: Entry) => T | undefined;
  readonly ttlMs: number;
  /** Told of messages that had waited for too long after a lease. */
  readonly onExpired: (channel: string, count: number) => void;
}

/** Where the messages of a general channel may be besides under its key. */
export interface GeneralChannel {
  readonly keys: LeaseKeys;
  readonly expiryMs: number;
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

  /** Waits for the next entries of a general channel, or under the key of a process: at least one, at most `max`. */
  async take(from: GeneralChannel | string, max: number, signal?: AbortSignal): Promise<T[]> {
    if (this.#closed) throw new LayerClosedError();
    return this.#reader(from).take(max, signal);
  }

  /** Takes what is there now, at most `max` entries. @throws LayerUnavailableError */
  async takeNow(from: GeneralChannel, max: number): Promise<T[]> {
    if (this.#closed) throw new LayerClosedError();
    return this.#reader(from).takeNow(max);
  }

  /** What is known of the hosts of a key that somebody waits for messages under. */
  listening(key: string): Listening | undefined {
    return this.#readers.get(key)?.reader.listening();
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

  #reader(from: GeneralChannel | string): KeyReader<T> {
    const now = performance.now();
    const key = typeof from === 'string' ? from : from.keys.messages;
    let known = this.#readers.get(key);
    if (known === undefined) {
      this.#forgetUnused(now);
      const reader = typeof from === 'string' ? this.#processReader(from) : this.#channelReader(from);
      known = { reader, usedAt: now };
      this.#readers.set(key, known);
    }
    known.usedAt = now;
    return known.reader;
  }

  #processReader(key: string): KeyReader<T> {
    const { hosts, ttlMs, accept } = this.#options;
    const sources = hosts.map((host) => ({ host, beforeRead: () => {} }));
    return new KeyReader({ keys: [key], sources, ttlMs, accept });
  }

  #channelReader({ keys, expiryMs }: GeneralChannel): KeyReader<T> {
    const { hosts, ttlMs, accept, onExpired } = this.#options;
    const sources = hosts.map((host) => {
      const { commands, presence } = host;
      const inflight = new InflightWatch({ key: keys.messages, commands, presence, ttlMs });
      const comeback = new Comeback({
        ...{ keys, commands, presence, expiryMs },
        onExpired: (count) => onExpired(keys.channel, count),
      });
      const beforeRead = () => {
        inflight.lookWhenDue();
        comeback.lookWhenDue();
      };
      return { host, beforeRead };
    });
    return new KeyReader({ keys: [keys.again, keys.messages], sources, ttlMs, accept });
  }

  #forgetUnused(now: number): void {
    for (const [key, { reader, usedAt }] of this.#readers)
      if (!reader.busy && now - usedAt > forgetAfterMs) this.#readers.delete(key);
  }
}
