// Acknowledges to each sender what is on disk: a few times a second, or after many bytes.

import type { Clock } from '../../base/clock.js';
import type { SenderState } from './inbox.js';

/** Minimum time between two acknowledgements of one sender, unless `enoughBytes` were written. */
const everyMs = 250;
/** Well below the sender's window, so that the sender never waits. */
const enoughBytes = 512 * 1024;

export class Acknowledgements {
  readonly #clock: Clock;
  readonly #pending = new Map<SenderState, number>();
  readonly #sentAt = new WeakMap<SenderState, number>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records of a sender were written, or a repeated batch was in the file already. */
  add(state: SenderState, bytes: number): void {
    const sum = (this.#pending.get(state) ?? 0) + bytes;
    this.#pending.set(state, sum);
    const sinceMs = this.#clock.now() - (this.#sentAt.get(state) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs >= everyMs || sinceMs < 0 || sum >= enoughBytes) this.#send(state);
    else this.#cancel ??= this.#clock.after(everyMs - sinceMs, () => this.flush());
  }

  /** Sends all pending acknowledgements. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const state of this.#pending.keys()) this.#send(state);
  }

  #send(state: SenderState): void {
    const { sender, epoch, written: last, reply } = state;
    this.#pending.delete(state);
    this.#sentAt.set(state, this.#clock.now());
    reply?.({ type: 'log.ack', sender, epoch, last });
  }
}
