// A million records lie in the spool when a worker starts.

import type { Found } from '../shared/results.js';
import { whenComplete } from './contest.js';
import type { Context } from './context.js';
import { makeSite, startSender, startWorker } from './linod.js';

/** Their process lives and sends them itself, or was killed and the worker brings them in. `rate` in records a second. */
export async function replay(isAlive: boolean, { directory, quick }: Context): Promise<Found> {
  const site = await makeSite(directory);
  const sender = await startSender(site, 1, false);
  const records = quick ? 20_000 : 1_000_000;
  sender.tell(String(records));
  await sender.says('done');
  if (!isAlive) await sender.kill();
  const worker = await startWorker(site);
  const start = performance.now();
  try {
    const end = await whenComplete(site.logFile, records);
    return { rate: (records * 1000) / (end - start) };
  } finally {
    await sender.kill();
    await worker.stop();
  }
}
