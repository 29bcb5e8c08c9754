// Telling the workers that the database has news for them. What is lost of it they see a few seconds later.

import type { Site } from '../site.js';
import type { Store } from '../store/store.js';
import { say } from './output.js';

/** Wakes the task coroutines of all workers. @returns whether there are workers */
export async function wakeWorkers(site: Site, store: Store): Promise<boolean> {
  const { lookAround } = await import('../actors.js');
  if ((await lookAround({ site, store })).length === 0) return false;
  const layer = await site.openLayer();
  try {
    await layer.groupSend(site.workersGroup, { type: 'rules.changed' });
  } catch (error) {
    // The database has told them.
    if (store.tells.includes('job_requests')) return true;
    const why = error instanceof Error ? error.message : String(error);
    say(`the worker will notice within some seconds; it cannot be told now: ${why}`);
  } finally {
    await layer.close();
  }
  return true;
}
