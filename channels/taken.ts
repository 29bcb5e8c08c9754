// A message that a worker has taken from the layer, and what the layer is told of it.
//
//   at most once    taken is gone: nothing to tell, unless a message is put back by sending it again
//   on lease        taken ─▶ extended at intervals ─▶ done: acknowledged
//                                                  ─▶ failed: extended no more, so that it comes again
//                                                  ─▶ given back: released at once

import type { Message, Received } from './application.js';
import type { Clock } from './clock.js';
import type { ChannelLayer } from './layer.js';
import type { Leased } from './leases.js';

/** One of the three methods is called once, at the end. */
export interface Taken {
  readonly received: unknown;
  /**
   * Whether the message is no longer ours: its lease is over, as after the process stood still for a while, so that
   * another receiver may have it already. It counts as failed then.
   */
  readonly isOver: boolean;
  /** It was handled, or is good for nothing: it is not to come again. Resolves when the layer was told. */
  done(): Promise<void>;
  /** Its handler failed. On lease, it comes again when the lease is over. */
  failed(): void;
  /** Nothing was done with it: it goes back to the channel. Rejects when that is not possible. */
  giveBack(signal: AbortSignal): Promise<void>;
}

export interface TakeOptions {
  readonly channel: string;
  readonly layer: ChannelLayer;
  /** Milliseconds of a lease; undefined for at most once. */
  readonly leaseMs: number | undefined;
  readonly clock: Clock;
  /** Told of a message that was done and may come again all the same. */
  readonly onNotAcknowledged: (received: Received, error: unknown) => void;
}

/** Waits for messages, at least one; as the layer's `receiveMany`. */
export async function takeMessages(
  options: TakeOptions,
  max: number,
  signal: AbortSignal,
): Promise<readonly Taken[]> {
  const { layer, channel, leaseMs } = options;
  if (leaseMs === undefined) {
    const messages = await layer.receiveMany(channel, { max, signal });
    return messages.map((received) => ({
      received,
      isOver: false,
      done: async () => undefined,
      failed: () => undefined,
      // Only what is a message gets as far as to be given back.
      giveBack: (signal) => layer.send(channel, received as Received & Message, { signal }),
    }));
  }
  const leased = await layer.receiveMany(channel, { max, signal, lease: leaseMs });
  return leased.map((each) => new TakenOnLease(each, { ...options, leaseMs }));
}

/** How many times a lease is extended before it would be over. */
const extensionsPerLease = 3;

class TakenOnLease implements Taken {
  readonly received: Received;
  readonly #leased: Leased;
  readonly #options: TakeOptions & { readonly leaseMs: number };
  /** Until when it is ours at least, in the clock's milliseconds. */
  #endsAt: number;
  /** Undefined when it is extended no more. */
  #cancelExtension: (() => void) | undefined;

  constructor(leased: Leased, options: TakeOptions & { readonly leaseMs: number }) {
    this.received = leased.message;
    this.#leased = leased;
    this.#options = options;
    this.#endsAt = options.clock.now() + options.leaseMs;
    this.#extendLater();
  }

  get isOver(): boolean {
    return this.#options.clock.now() >= this.#endsAt;
  }

  async done(): Promise<void> {
    this.failed();
    const { onNotAcknowledged } = this.#options;
    try {
      if (!(await this.#leased.ack())) onNotAcknowledged(this.received, undefined);
    } catch (error) {
      onNotAcknowledged(this.received, error);
    }
  }

  failed(): void {
    this.#cancelExtension?.();
    this.#cancelExtension = undefined;
  }

  async giveBack(): Promise<void> {
    this.failed();
    await this.#leased.release({ untried: true });
  }

  #extendLater(): void {
    const { clock, leaseMs } = this.#options;
    this.#cancelExtension = clock.after(leaseMs / extensionsPerLease, () => void this.#extend());
  }

  async #extend(): Promise<void> {
    const { clock, leaseMs } = this.#options;
    const endsAt = clock.now() + leaseMs;
    // Without the layer there is no extending. The next one tries again, and what is over then is left alone.
    const isInTime = await this.#leased.extend(leaseMs).catch(() => undefined);
    if (this.#cancelExtension === undefined) return;
    if (isInTime !== undefined) this.#endsAt = isInTime ? endsAt : 0;
    if (isInTime !== false) this.#extendLater();
  }
}
