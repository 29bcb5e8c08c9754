// How many mails a second: each has its turn, at even distances, so that no second has more than are allowed.

import { setTimeout } from 'node:timers/promises';

/** Turns of a limit. */
export class Rate {
  readonly #distanceMs: number;
  #next = Number.NEGATIVE_INFINITY;

  /** @param perSecond null for no limit */
  constructor(perSecond: number | null) {
    this.#distanceMs = perSecond === null ? 0 : 1000 / perSecond;
  }

  /** The next turn, which is the caller's then. @param now in ms @returns how long to wait for it, in ms */
  take(now: number): number {
    const at = Math.max(now, this.#next);
    this.#next = at + this.#distanceMs;
    return at - now;
  }

  /** Waits for a turn. @throws the signal's reason, as an AbortError's cause */
  async turn(signal: AbortSignal): Promise<void> {
    const waitMs = this.take(performance.now());
    // A timer may fire a little early.
    if (waitMs > 0) await setTimeout(Math.ceil(waitMs), undefined, { signal });
  }
}
