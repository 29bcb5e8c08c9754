// A wait that ends in peace after some time.

/** The reason of an abort that only says that the time is over. */
export const timeOver = new Error('the time is over');

/**
 * Does something that waits, for at most `waitMs` milliseconds (undefined: for ever; 0: some turns of the event loop,
 * in which a layer on this machine looks at what it has); then its signal is aborted and the result is an empty
 * list. What it resolves with after the abort counts all the same, so nothing is lost.
 *
 * @throws what `work` throws, and the reason of the outer `signal`
 */
export async function patiently<T>(
  waitMs: number | undefined,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal | undefined) => Promise<T[]>,
): Promise<T[]> {
  if (waitMs === undefined) return work(signal);
  if (signal?.aborted) throw signal.reason;
  const patience = new AbortController();
  const end = () => patience.abort(timeOver);
  const cancel = waitMs === 0 ? afterTurns(3, end) : afterMs(waitMs, end);
  const onAbort = () => patience.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  try {
    return await work(patience.signal);
  } catch (error) {
    if (error === timeOver) return [];
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
