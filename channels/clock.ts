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

const firstRetryMs = 100;
const maxRetryMs = 30_000;

/**
 * Milliseconds to wait after so many failures in a row (1, 2, …): 100 ms doubled each time up to 30 s, of which up
 * to a half is taken off by chance, so that many processes do not come back in one moment.
 *
 * `random` is like `Math.random`.
 */
export function backOffMs(failures: number, random: () => number): number {
  const fullMs = Math.min(maxRetryMs, firstRetryMs * 2 ** (failures - 1));
  return Math.round(fullMs * (1 - random() / 2));
}
