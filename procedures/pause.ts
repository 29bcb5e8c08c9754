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

const paceMs = 10;

/** Steps so small that even a pause after each would cost too much. */
export class Pace {
  #pausedAt = performance.now();

  async step(): Promise<void> {
    if (performance.now() - this.#pausedAt < paceMs) return;
    await setImmediate();
    this.#pausedAt = performance.now();
  }
}
