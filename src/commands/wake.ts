// Wakes the workers from a command, and says so when that fails.

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

/** Says why the workers notice only at their next poll. */
export function sayIfUnwoken({ unwoken }: Woken): void {
  if (unwoken !== null) say(`the workers will notice within 5 s; they cannot be notified now: ${unwoken}`);
}
