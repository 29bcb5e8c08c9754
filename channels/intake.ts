// How a channel of a worker takes messages from the layer, and tells the layer what became of them.
//
//   at most once    taken is gone: nothing to tell, unless a message is put back by sending it again
//   on lease        taken ─▶ extended at intervals ─▶ done: acknowledged
//                                                  ─▶ failed: extended no more, so that it comes again
//                                                  ─▶ given back: released at once

import type { Message, Received } from './application.js';
import type { Clock } from './clock.js';
import type { ChannelLayer } from './layer.js';
import type { Leased } from './leases.js';

/** A message that was taken. One of the three methods is called once, at the end. */
export interface Taken {
  readonly received: unknown;
  /**
   * Whether the message is no longer ours: its lease is over, as after the process stood still for a while, so that
   * another receiver may have it already. Then none of the methods is called.
   */
  readonly isOver: boolean;
  /** It was handled, or is good for nothing: it is not to come again. */
  done(): void;
  /** Its handler failed. On lease, it comes again when the lease is over. */
  failed(): void;
  /** Nothing was done with it: it goes back to the channel. Rejects when that is not possible. */
  giveBack(signal: AbortSignal): Promise<void>;
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

export interface Intake {
  /** Waits for messages, at least one; as the layer's `receiveMany`. */
  take(max: number, signal: AbortSignal): Promise<readonly Taken[]>;
  /** Extends no more leases; resolves when the layer has been told everything. */
  end(): Promise<void>;
}

export function intake(options: IntakeOptions): Intake {
  const { leaseMs } = options;
  return leaseMs === undefined ? new PlainIntake(options) : new LeasingIntake({ ...options, leaseMs });
}

class PlainIntake implements Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  async take(max: number, signal: AbortSignal): Promise<readonly Taken[]> {
    const { layer, channel } = this.#options;
    const messages = await layer.receiveMany(channel, { max, signal });
    return messages.map((received) => ({
      received,
      isOver: false,
      done: () => undefined,
      failed: () => undefined,
      // Only what is a message gets as far as to be given back.
      giveBack: (signal) => layer.send(channel, received as Received & Message, { signal }),
    }));
  }

  async end(): Promise<void> {}
}

/** How many times a lease is extended before it would be over. */
const beatsPerLease = 3;

class LeasingIntake implements Intake {
  readonly #options: IntakeOptions & { readonly leaseMs: number };
  /** What was taken, and until when it is ours at least, in the clock's milliseconds. */
  readonly #held = new Map<Leased, number>();
  readonly #acknowledging = new Set<Promise<void>>();
  #cancelBeat: (() => void) | undefined;

  constructor(options: IntakeOptions & { readonly leaseMs: number }) {
    this.#options = options;
  }

  async take(max: number, signal: AbortSignal): Promise<readonly Taken[]> {
    const { layer, channel, leaseMs } = this.#options;
    const leased = await layer.receiveMany(channel, { max, signal, lease: leaseMs });
    return leased.map((each) => this.#hold(each));
  }

  async end(): Promise<void> {
    this.#cancelBeat?.();
    this.#held.clear();
    await Promise.all(this.#acknowledging);
  }

  #hold(leased: Leased): Taken {
    const { clock, leaseMs } = this.#options;
    this.#held.set(leased, clock.now() + leaseMs);
    this.#beatLater();
    const isOver = () => clock.now() >= (this.#held.get(leased) ?? 0);
    return {
      received: leased.message,
      get isOver() {
        return isOver();
      },
      done: () => {
        this.#held.delete(leased);
        this.#acknowledge(leased);
      },
      failed: () => {
        this.#held.delete(leased);
      },
      giveBack: async () => {
        this.#held.delete(leased);
        await leased.release({ untried: true });
      },
    };
  }

  /** The next message does not wait for it: acknowledgements of one turn go together. */
  #acknowledge(leased: Leased): void {
    const told = leased
      .ack()
      .then(
        (isInTime) => isInTime || this.#options.onNotAcknowledged(leased.message, undefined),
        (error: unknown) => this.#options.onNotAcknowledged(leased.message, error),
      )
      .then(() => {
        this.#acknowledging.delete(told);
      });
    this.#acknowledging.add(told);
  }

  #beatLater(): void {
    const { clock, leaseMs } = this.#options;
    this.#cancelBeat ??= clock.after(leaseMs / beatsPerLease, () => {
      this.#cancelBeat = undefined;
      for (const leased of this.#held.keys()) this.#extend(leased);
      if (this.#held.size > 0) this.#beatLater();
    });
  }

  #extend(leased: Leased): void {
    const { clock, leaseMs } = this.#options;
    const until = clock.now() + leaseMs;
    leased.extend(leaseMs).then(
      (isInTime) => {
        if (this.#held.has(leased)) this.#held.set(leased, isInTime ? until : 0);
      },
      () => {
        // Without the layer there is no extending. The next beat tries again, and what is over then is left alone.
      },
    );
  }
}
