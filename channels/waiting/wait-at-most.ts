// A wait with a time limit.

/** The abort reason at the time limit. */
export const timeLimitReached = new Error('the wait reached its time limit');

/**
 * Runs `work` for at most `waitMs` milliseconds; undefined is no limit, 0 is a few turns of the event loop.
 * At the limit it aborts the signal of `work` and returns an empty list. If `work` still resolves, its result
 * counts, so that no message is lost.
 *
 * @throws the errors of `work`, and the reason of the outer `signal`
 */
export async function waitAtMost<T>(
  waitMs: number | undefined,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal | undefined) => Promise<T[]>,
): Promise<T[]> {
  if (waitMs === undefined) return work(signal);
  if (signal?.aborted) throw signal.reason;
  const limited = new AbortController();
  const end = () => limited.abort(timeLimitReached);
  const cancel = waitMs === 0 ? afterTurns(3, end) : afterMs(waitMs, end);
  const onAbort = () => limited.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  try {
    return await work(limited.signal);
  } catch (error) {
    if (error === timeLimitReached) return [];
    throw error;
  } finally {
    cancel();
    signal?.removeEventListener('abort', onAbort);
  }
}

function afterMs(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

function afterTurns(turns: number, callback: () => void): () => void {
  let immediate: NodeJS.Immediate;
  const turn = (left: number) => {
    immediate = setImmediate(() => (left > 1 ? turn(left - 1) : callback()));
  };
  turn(turns);
  return () => clearImmediate(immediate);
}
