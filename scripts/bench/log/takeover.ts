// How soon another worker writes the log when the one that does is killed.

import { open, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { createLogger } from '../../../src/log/create-logger.js';
import { middleAndMost } from '../shared/quantiles.js';
import type { Found } from '../shared/results.js';
import type { Context } from './context.js';
import { makeSite, startWorker } from './linod.js';

const kills = 10;
const quickKills = 2;
/** Between two records of the process that logs all the time. */
const recordEveryMs = 2;
/** Not in step with the looks of the one that stands by. */
const restMs = () => Math.random() * 1000;
/** Between two looks at the file. */
const lookMs = 1;

/**
 * Two workers and a process that logs: the one that writes is killed, and the time counts until the file grows by the other's
 * hand. Then a new one stands by. `p50` and `max` of these times in ms.
 */
export async function takeover({ directory, quick }: Context): Promise<Found> {
  const site = await makeSite(directory);
  let [writer, standby] = [await startWorker(site), await startWorker(site)];
  const logger = createLogger({ site: directory, name: 'web' });
  let n = 0;
  const talk = setInterval(() => logger.info(`record ${++n}`), recordEveryMs);
  const file = await open(site.logFile, 'r');
  const times: number[] = [];
  try {
    for (let i = 0; i < (quick ? quickKills : kills); i++) {
      await pause(restMs());
      const start = performance.now();
      await writer.kill();
      await grows(site.logFile, (await file.stat()).size);
      times.push(performance.now() - start);
      [writer, standby] = [standby, await startWorker(site)];
    }
    return middleAndMost(times);
  } finally {
    clearInterval(talk);
    await file.close();
    await logger.close();
    await Promise.all([writer.stop(), standby.stop()]);
  }
}

async function grows(path: string, size: number): Promise<void> {
  while ((await stat(path)).size <= size) await pause(lookMs);
}
