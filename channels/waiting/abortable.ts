// A promise that another part of the program settles, unless a signal aborts it first.

/** Settles a wait. Call one of the two, once. */
export interface Wait<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * Waits until the wait is settled. An abort rejects with the signal's reason.
 *
 * @param begin registers the wait and returns a function that removes it. That function runs when the wait is
 *   settled or aborted, so that no message goes to an ended wait.
 */
export function abortable<T>(
  signal: AbortSignal | undefined,
  begin: (wait: Wait<T>) => () => void,
): Promise<T> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const leave = () => {
      signal?.removeEventListener('abort', onAbort);
      takeAway();
    };
    const wait: Wait<T> = {
      resolve: (value) => {
        leave();
        resolve(value);
      },
      reject: (error) => {
        leave();
        reject(error);
      },
    };
    const onAbort = () => wait.reject(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    const takeAway = begin(wait);
  });
}
