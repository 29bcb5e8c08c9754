// Long work in small steps.

import { setImmediate } from 'node:timers/promises';

/**
 * Lets the event loop turn between two steps, and tells whether to take the next. The embedded database answers
 * without waiting, so that a loop of queries alone would keep the process from its heartbeat and its timers, the
 * run's own time-out among them.
 */
export async function mayGoOn(signal: AbortSignal): Promise<boolean> {
  await setImmediate();
  return !signal.aborted;
}

/** Steps so small that even a pause after each would cost too much. */
export class Pace {
  readonly #everyMs: number;
  #steps = 0;
  #pausedAt = performance.now();

  /** @param everyMs the event loop turns this often; asked for every few steps */
  constructor(everyMs = 10) {
    this.#everyMs = everyMs;
  }

  /** Whether it is time for a pause. Called once a step. */
  isDue(): boolean {
    // The clock is not free either.
    if (++this.#steps % stepsPerLook !== 0) return false;
    return performance.now() - this.#pausedAt >= this.#everyMs;
  }

  async pause(): Promise<void> {
    await setImmediate();
    this.#pausedAt = performance.now();
  }
}

const stepsPerLook = 4;
