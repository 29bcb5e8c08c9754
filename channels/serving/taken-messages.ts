// What a worker takes from the layer for one channel, and what the layer is told of it.
//
//   at most once    taken is gone: nothing to tell, unless a message is put back by sending it again
//   on lease        taken ─▶ extended at intervals ─▶ done: acknowledged
//                                                  ─▶ failed: extended no more, so that it comes again
//                                                  ─▶ given back: released at once

import type { Message, Received } from '../application.js';
import { type Clock, pause } from '../clock.js';
import { LayerUnavailableError } from '../errors.js';
import type { ChannelLayer } from '../layer.js';
import type { Leased } from '../leases.js';

/** A message that was taken. */
export interface Taken {
  readonly received: Received;
  /** Undefined for at most once. */
  readonly leased: Leased | undefined;
  /** Until when it is ours at least, in the clock's milliseconds. */
  endsAt: number;
}

export interface IntakeOptions {
  readonly channel: string;
  readonly layer: ChannelLayer;
  /** Milliseconds of a lease; undefined for at most once. */
  readonly leaseMs: number | undefined;
  readonly clock: Clock;
  /** Told of a message that was done and may come again all the same. */
  readonly onNotAcknowledged: (received: Received, error: unknown) => void;
}

/** How many times a lease is extended before it would be over. */
const extensionsPerLease = 3;

export class Intake {
  readonly #options: IntakeOptions;
  /** What is on lease and ours. */
  readonly #held = new Set<Taken>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Waits for messages, at least one; as the layer's `receiveMany`. */
  async take(max: number, signal: AbortSignal): Promise<readonly Taken[]> {
    const { layer, channel, leaseMs, clock } = this.#options;
    if (leaseMs === undefined) {
      const messages = await layer.receiveMany(channel, { max, signal });
      return messages.map((received) => ({ received, leased: undefined, endsAt: Number.POSITIVE_INFINITY }));
    }
    const leased = await layer.receiveMany(channel, { max, signal, lease: leaseMs });
    const endsAt = clock.now() + leaseMs;
    const taken = leased.map((each) => ({ received: each.message, leased: each, endsAt }));
    for (const each of taken) this.#held.add(each);
    return taken;
  }

  /** Extends the leases of what is held, until `over`. */
  async extendLeases(over: AbortSignal): Promise<void> {
    const { leaseMs, clock } = this.#options;
    if (leaseMs === undefined) return;
    while (await pause(clock, leaseMs / extensionsPerLease, over))
      for (const taken of this.#held) void this.#extend(taken, leaseMs);
  }

  /**
   * Whether a message is no longer ours: its lease is over, as after the process stood still for a while, so that
   * another receiver may have it already. It counts as failed then.
   */
  isOver({ endsAt }: Taken): boolean {
    return this.#options.clock.now() >= endsAt;
  }

  /** It was handled, or is good for nothing: it is not to come again. Resolves when the layer was told. */
  async done(taken: Taken): Promise<void> {
    this.failed(taken);
    const { onNotAcknowledged } = this.#options;
    try {
      if (!(await this.#acknowledge(taken))) onNotAcknowledged(taken.received, undefined);
    } catch (error) {
      onNotAcknowledged(taken.received, error);
    }
  }

  /** Its handler failed. On lease, it comes again when the lease is over. */
  failed(taken: Taken): void {
    this.#held.delete(taken);
  }

  /** Nothing was done with it: it goes back to the channel. Rejects when that is not possible. */
  async giveBack(taken: Taken, signal: AbortSignal): Promise<void> {
    this.failed(taken);
    const { layer, channel } = this.#options;
    if (taken.leased !== undefined) await taken.leased.release({ untried: true });
    // Only what is a message gets as far as to be given back.
    else await layer.send(channel, taken.received as Received & Message, { signal });
  }

  /** Once more when the connection was lost meanwhile, on the next one. */
  async #acknowledge(taken: Taken): Promise<boolean> {
    try {
      return (await taken.leased?.ack()) !== false;
    } catch (error) {
      if (!(error instanceof LayerUnavailableError) || error.reason !== 'unreachable') throw error;
      // If it is gone during its lease, only the first reply was lost.
      return (await taken.leased?.ack()) !== false || !this.isOver(taken);
    }
  }

  async #extend(taken: Taken, leaseMs: number): Promise<void> {
    const endsAt = this.#options.clock.now() + leaseMs;
    // Without the layer there is no extending. The next time it is tried again, and what is over then is left alone.
    const isInTime = await taken.leased?.extend(leaseMs).catch(() => undefined);
    if (isInTime === undefined || !this.#held.has(taken)) return;
    taken.endsAt = isInTime ? endsAt : 0;
    if (!isInTime) this.failed(taken);
  }
}
