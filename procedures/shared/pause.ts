// Splits long work into small steps.

import { setImmediate } from 'node:timers/promises';

/**
 * Lets the event loop run between two steps, and says whether to continue. The embedded database answers
 * synchronously, so a loop of queries alone would block the process's heartbeat and timers, among them the
 * run's own timeout.
 */
export async function shouldContinue(signal: AbortSignal): Promise<boolean> {
  await setImmediate();
  return !signal.aborted;
}

const paceMs = 10;

/** Pauses between some of the steps, where a pause after each one would cost too much. */
export class Pace {
  #pausedAt = performance.now();

  async step(): Promise<void> {
    if (performance.now() - this.#pausedAt < paceMs) return;
    await setImmediate();
    this.#pausedAt = performance.now();
  }
}
