// The readers of all channels that this process takes messages on lease from.

import { LayerClosedError } from '../../errors.js';
import type { Listening } from '../../listening.js';
import { type LeasedEntry, LeaseReader, type LeaseReaderOptions } from './lease-reader.js';

/** A reader that nobody has used for so long is forgotten when a new one is made. */
const forgetAfterMs = 120_000;

/** One reader a channel. */
export class LeaseReaders {
  readonly #optionsOf: (channel: string) => LeaseReaderOptions;
  readonly #readers = new Map<string, { readonly reader: LeaseReader; usedAt: number }>();
  #closed = false;

  constructor(optionsOf: (channel: string) => LeaseReaderOptions) {
    this.#optionsOf = optionsOf;
  }

  /** See `LeaseReader.take`. */
  async take(
    channel: string,
    max: number,
    leaseMs: number,
    signal?: AbortSignal,
  ): Promise<readonly LeasedEntry[]> {
    return this.#reader(channel).take(max, leaseMs, signal);
  }

  /** See `LeaseReader.takeNow`. */
  async takeNow(channel: string, max: number, leaseMs: number): Promise<readonly LeasedEntry[]> {
    return this.#reader(channel).takeNow(max, leaseMs);
  }

  /** What is known of the hosts of a channel that somebody waits for messages of. */
  listening(channel: string): Listening | undefined {
    return this.#readers.get(channel)?.reader.listening();
  }

  /** Has those who wait look, if anybody waits. */
  wake(channel: string): void {
    this.#readers.get(channel)?.reader.wake();
  }

  /** Ends all waits with LayerClosedError. Safe to call twice. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new LayerClosedError();
    await Promise.all(Array.from(this.#readers.values(), ({ reader }) => reader.stop(error)));
  }

  #reader(channel: string): LeaseReader {
    if (this.#closed) throw new LayerClosedError();
    const now = performance.now();
    let known = this.#readers.get(channel);
    if (known === undefined) {
      this.#forgetUnused(now);
      known = { reader: new LeaseReader(this.#optionsOf(channel)), usedAt: now };
      this.#readers.set(channel, known);
    }
    known.usedAt = now;
    return known.reader;
  }

  #forgetUnused(now: number): void {
    for (const [channel, { reader, usedAt }] of this.#readers)
      if (!reader.busy && now - usedAt > forgetAfterMs) this.#readers.delete(channel);
  }
}
