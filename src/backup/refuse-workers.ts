// A worker writes to its database and its log, so nothing may be put in their place.

import { lookAround } from '../actors/tables.js';
import type { Site } from '../site/site.js';
import type { Store } from '../store/store.js';
import { RefusedError } from './errors.js';

/** @throws RefusedError while a worker of the site runs */
export async function refuseWorkers(site: Site, store: Store): Promise<void> {
  const workers = await lookAround({ site, store });
  if (workers.length === 0) return;
  throw new RefusedError(`worker ${workers[0]?.id} is running: stop all workers of the site first`);
}
