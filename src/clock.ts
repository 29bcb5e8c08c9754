// Time, as it is handed to everything that needs it, so that tests can bring their own.

export interface Clock {
  /** Milliseconds since 1970 UTC. */
  now(): number;
  /** Calls back once after `delayMs` ms, as `setTimeout`; the result cancels it. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The longest delay that `setTimeout` takes; what is later is looked at again then. */
const maxDelayMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: Date.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), maxDelayMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
