// The messages that a worker has taken from one channel, and their acknowledgement.
//
//   without a lease    the layer has forgotten the message; giving it back sends it again
//   with a lease       taken ─▶ extended at intervals ─▶ done: acknowledged
//                                                     ─▶ failed: no longer extended, so it is delivered again
//                                                     ─▶ given back: released at once

import type { Message, Received } from '../application.js';
import { type Clock, pause } from '../clock.js';
import { LayerUnavailableError } from '../errors.js';
import type { ChannelLayer } from '../layer.js';
import type { Leased } from '../leases.js';

/** A message that the worker took. */
export interface Taken {
  readonly received: Received;
  /** Undefined without leases. */
  readonly leased: Leased | undefined;
  /** The earliest end of the lease, in the clock's milliseconds. */
  endsAt: number;
}

export interface IntakeOptions {
  readonly channel: string;
  readonly layer: ChannelLayer;
  /** Milliseconds of a lease; undefined without leases. */
  readonly leaseMs: number | undefined;
  readonly clock: Clock;
  /** Called for a handled message that may be delivered again. */
  readonly onNotAcknowledged: (received: Received, error: unknown) => void;
}

/** How many times a lease is extended within its length. */
const extensionsPerLease = 3;

export class Intake {
  readonly #options: IntakeOptions;
  /** The messages whose leases this process extends. */
  readonly #held = new Set<Taken>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Waits for at least one message, and takes at most `max`. */
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

  /** Extends the leases of unfinished messages until `over`. */
  async extendLeases(over: AbortSignal): Promise<void> {
    const { leaseMs, clock } = this.#options;
    if (leaseMs === undefined) return;
    while (await pause(clock, leaseMs / extensionsPerLease, over))
      for (const taken of this.#held) void this.#extend(taken, leaseMs);
  }

  /**
   * Whether the lease is over, for example after the process was suspended. Another receiver may have the
   * message.
   */
  isOver({ endsAt }: Taken): boolean {
    return this.#options.clock.now() >= endsAt;
  }

  /** Acknowledges a message that was handled or dropped. Never rejects. */
  async done(taken: Taken): Promise<void> {
    this.failed(taken);
    const { onNotAcknowledged } = this.#options;
    try {
      if (!(await this.#acknowledge(taken))) onNotAcknowledged(taken.received, undefined);
    } catch (error) {
      onNotAcknowledged(taken.received, error);
    }
  }

  /** Stops extending the lease, so that the layer delivers the message again. */
  failed(taken: Taken): void {
    this.#held.delete(taken);
  }

  /** Puts an unstarted message back on its channel. Rejects when the layer refuses it. */
  async giveBack(taken: Taken, signal: AbortSignal): Promise<void> {
    this.failed(taken);
    const { layer, channel } = this.#options;
    if (taken.leased !== undefined) await taken.leased.release({ untried: true });
    // The worker drops malformed messages earlier, so this one is a message.
    else await layer.send(channel, taken.received as Received & Message, { signal });
  }

  /** Acknowledges, and tries once more after a lost connection. */
  async #acknowledge(taken: Taken): Promise<boolean> {
    try {
      return (await taken.leased?.ack()) !== false;
    } catch (error) {
      if (!(error instanceof LayerUnavailableError) || error.reason !== 'unreachable') throw error;
      // If the message is gone before its lease ended, the first acknowledgement arrived and only its reply
      // was lost.
      return (await taken.leased?.ack()) !== false || !this.isOver(taken);
    }
  }

  async #extend(taken: Taken, leaseMs: number): Promise<void> {
    const endsAt = this.#options.clock.now() + leaseMs;
    // When the layer is unreachable, the next round tries again.
    const isInTime = await taken.leased?.extend(leaseMs).catch(() => undefined);
    if (isInTime === undefined || !this.#held.has(taken)) return;
    taken.endsAt = isInTime ? endsAt : 0;
    if (!isInTime) this.failed(taken);
  }
}
