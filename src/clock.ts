// Time, as it is handed to everything that needs it, so that tests can bring their own.

import type { Clock } from '../channels/index.js';

export type { Clock };

/** The longest delay that `setTimeout` takes; what is later is looked at again then. */
const maxDelayMs = 2 ** 31 - 1;

/** The machine's. What waits on it does not keep the process alive: that is the business of what listens. */
export const systemClock: Clock = {
  now: Date.now,
  after(delayMs, callback) {
    if (delayMs <= 0) {
      // No timer goes off in less than a millisecond. Nothing keeps the process alive for the rest of a turn of its loop.
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(callback, Math.min(delayMs, maxDelayMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
