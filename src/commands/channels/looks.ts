// The looks of `linod channels top`, one at each interval, and where they are shown.

import { setTimeout as pause } from 'node:timers/promises';
import type { LayerStats } from '../../../channels/index.js';
import { withRates } from './rates.js';
import type { Sight } from './top-view.js';

export interface LookOptions {
  readonly look: () => Promise<LayerStats>;
  readonly everyMs: number;
  /** How many looks; without end when left out. */
  readonly count: number | undefined;
  readonly signal: AbortSignal;
  readonly show: (sight: Sight) => void;
  /** Told of a look that failed; the next may not. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Looks until the signal, or as often as wanted. A look that goes on when the signal comes is not waited for.
 *
 * @throws what the first look throws
 */
export async function lookAgainAndAgain({
  look,
  everyMs,
  count,
  signal,
  show,
  onFailed,
}: LookOptions): Promise<void> {
  let before: LayerStats | undefined;
  for (let looks = 0; !signal.aborted && (count === undefined || looks < count); looks++) {
    // Rejects when it is time to end, which the loop sees.
    if (looks > 0) await pause(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const stats = await unlessAborted(look(), signal);
      if (stats === undefined) return;
      show({ stats, channels: withRates(stats, before) });
      before = stats;
    } catch (error) {
      if (looks === 0) throw error;
      onFailed(error);
    }
  }
}

/** What comes of the work; undefined when the signal comes first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
