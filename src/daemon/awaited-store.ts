// The database of a worker that is started: one that is away is waited for, as it is while a worker runs. After the reboot of
// a machine at night nobody is there to start the worker again.

import { beatMs } from '../../channels/waiting/beat.js';
import { type Clock, pause } from '../base/clock.js';
import { StoreUnavailableError } from '../store/errors.js';
import type { Store } from '../store/store.js';

/** Waiting after the first failure, doubled with each further one up to a beat. */
const firstRetryMs = 250;

export interface AwaitStoreOptions {
  open(): Promise<Store>;
  readonly clock: Clock;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** Called once, when the first attempt has failed. */
  onAway(error: StoreUnavailableError): void;
}

/** The store, and for how long it was away, in ms. */
export interface AwaitedStore {
  readonly store: Store;
  readonly awayMs: number;
}

/**
 * Opens a store as soon as it is there.
 *
 * @returns null when the signal comes before
 * @throws what opening it throws that will not pass by itself: a wrong password, an unknown database
 */
export async function awaitStore({
  open,
  clock,
  signal,
  onAway,
}: AwaitStoreOptions): Promise<AwaitedStore | null> {
  const since = clock.now();
  for (let delayMs = firstRetryMs; !signal.aborted; delayMs = Math.min(2 * delayMs, beatMs)) {
    try {
      const store = await open();
      return { store, awayMs: delayMs === firstRetryMs ? 0 : clock.now() - since };
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || !error.passes) throw error;
      if (delayMs === firstRetryMs) onAway(error);
      await pause(clock, delayMs, signal);
    }
  }
  return null;
}
