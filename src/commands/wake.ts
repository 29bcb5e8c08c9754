// Telling the workers that the database has news for them. What is lost of it they see a few seconds later.

import type { Site } from '../site.js';
import type { Store } from '../store/store.js';
import { say } from './output.js';

/** Wakes the task coroutine of a worker, if there is one. @returns whether a worker is known to run */
export async function wakeWorker(site: Site, store: Store): Promise<boolean> {
  const { WorkerRegistry } = await import('../membership/registry.js');
  const { systemClock } = await import('../clock.js');
  const registry = new WorkerRegistry(store.db, systemClock);
  await registry.markDead();
  if ((await registry.living()).length === 0) return false;
  const layer = await site.openLayer();
  try {
    await layer.send(site.channel, { type: 'rules.changed' });
  } catch (error) {
    say(`the worker will notice within some seconds; it cannot be told now: ${(error as Error).message}`);
  } finally {
    await layer.close();
  }
  return true;
}
