// Time, as it is handed to everything that needs it, so that tests can bring their own.

import type { Clock } from '../channels/index.js';

export type { Clock };

/** The longest delay that `setTimeout` takes; what is later is looked at again then. */
const maxDelayMs = 2 ** 31 - 1;

/** The machine's. What waits on it does not keep the process alive: that is the business of what listens. */
export const systemClock: Clock = {
  now: Date.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), maxDelayMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
