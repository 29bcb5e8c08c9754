// Opens the database, and waits while it is away. After a reboot at night no person is there to start the
// worker again.

import { beatMs } from '../../channels/waiting/beat.js';
import { type Clock, pause } from '../base/clock.js';
import { StoreUnavailableError } from '../store/errors.js';
import type { Store } from '../store/store.js';

/** The delay after the first failure. It doubles with each further one, up to a beat. */
const firstRetryMs = 250;

export interface AwaitStoreOptions {
  open(): Promise<Store>;
  readonly clock: Clock;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Called once, when the first attempt has failed. */
  onAway(error: StoreUnavailableError): void;
}

/** The store, and how long it was away, in ms. */
export interface AwaitedStore {
  readonly store: Store;
  readonly awayMs: number;
}

/**
 * Opens a store as soon as it answers.
 *
 * @returns null when the signal is aborted first
 * @throws errors that waiting does not cure, such as a wrong password or an unknown database
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
