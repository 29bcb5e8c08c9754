// The clock that waiting code gets, so that tests can pass their own.

export interface Clock {
  /** Milliseconds since 1970 UTC. */
  now(): number;
  /** Calls back once after `delayMs` ms; the result cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The clock of this machine. A pending call keeps the process alive. */
export const systemClock: Clock = {
  now: Date.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Waits. Resolves with true after `delayMs`, with false when the signal ends the wait. */
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
 * Returns the milliseconds to wait after `failures` failures in a row: 100 ms, doubled each time up to 30 s.
 * A random part of up to a half is taken off, so that many processes do not return at the same moment.
 *
 * `random` is like `Math.random`.
 */
export function backOffMs(failures: number, random: () => number): number {
  const fullMs = Math.min(maxRetryMs, firstRetryMs * 2 ** (failures - 1));
  return Math.round(fullMs * (1 - random() / 2));
}
