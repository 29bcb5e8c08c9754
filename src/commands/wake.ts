// Waking the workers from a command, and saying so when they cannot be.

import { tellWorkers, type Woken } from '../actors/tables.js';
import type { Site } from '../site/site.js';
import type { Store } from '../store/store.js';
import { say } from './views/output.js';

/** Wakes the task coroutines of all workers. @returns whether there are workers */
export async function wakeWorkers(site: Site, store: Store): Promise<boolean> {
  const woken = await tellWorkers({ site, store });
  sayIfUnwoken(woken);
  return woken.isWorking;
}

/** Says why a worker will notice later. */
export function sayIfUnwoken({ unwoken }: Woken): void {
  if (unwoken !== null) say(`the worker will notice within some seconds; it cannot be told now: ${unwoken}`);
}
