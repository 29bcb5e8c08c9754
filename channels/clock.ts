// Time, as it is handed to what waits, so that tests can bring their own.

export interface Clock {
  /** Milliseconds since 1970 UTC. */
  now(): number;
  /** Calls back once after `delayMs` ms; the result cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The machine's. A pending call keeps the process alive. */
export const systemClock: Clock = {
  now: Date.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Waits; resolves with whether the time is over, false when the signal ended the wait. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (isOver: boolean) => {
      cancel();
      signal.removeEventListener('abort', onAbort);
      resolve(isOver);
    };
    const onAbort = () => end(false);
    const cancel = clock.after(delayMs, () => end(true));
    signal.addEventListener('abort', onAbort);
  });
}
