// A promise that somebody settles later, unless a signal is aborted before.

/** The two ends of a wait. One of them is called once. */
export interface Wait<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * Waits until somebody settles the promise. An abort rejects with the signal's reason.
 *
 * @param begin puts the wait where it will be settled, and returns how to take it away again. That is called in
 *   the moment in which the wait is settled, so that nothing is handed to a wait that is over.
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
