// Time, as it is handed to everything that needs it, so that tests can bring their own.

import { uptime } from 'node:os';
import type { Clock } from '../../channels/index.js';

export type { Clock };

/** A clock with a steady counterpart, which shows when the clock was set. */
export interface SteadyClock extends Clock {
  /**
   * How many ms have passed since some instant, also while the machine slept. On Linux, setting the clock does
   * not change it.
   */
  passed(): number;
}

/** The longest delay that `setTimeout` takes; what is later is looked at again then. */
const maxDelayMs = 2 ** 31 - 1;

/** The machine's. What waits on it does not keep the process alive: that is the business of what listens. */
export const systemClock: SteadyClock = {
  now: Date.now,
  passed: () => uptime() * 1000,
  after(delayMs, callback) {
    if (delayMs <= 0) {
      // No timer goes off in less than a millisecond. Nothing keeps the process alive for the rest of a turn
      // of its loop.
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(callback, Math.min(delayMs, maxDelayMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after so many ms, or as soon as the signal is aborted. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}
