// How soon a record of an idle process is in the file.

import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { createLogger } from '../../../src/log/create-logger.js';
import type { SiteConfig } from '../../../src/site/settings.js';
import { quantiles } from '../shared/quantiles.js';
import type { Found } from '../shared/results.js';
import type { Context } from './context.js';
import { makeSite, startWorker } from './linod.js';
import { messageOf } from './message.js';

const samples = 100;
const quickSamples = 15;
/** Not in step with any timer of the sender or the writer. */
const restMs = () => 80 + Math.random() * 80;

export async function latency({ directory, quick }: Context, settings: SiteConfig = {}): Promise<Found> {
  const site = await makeSite(directory, settings);
  const worker = await startWorker(site);
  const logger = createLogger({ site: directory, name: 'latency' });
  logger.info('begins');
  await logger.flush();
  const file = await open(site.logFile, 'r');
  const times: number[] = [];
  try {
    for (let i = 0; i < (quick ? quickSamples : samples); i++) {
      await pause(restMs());
      const { size } = await file.stat();
      const start = performance.now();
      logger.info(messageOf(i));
      while ((await file.stat()).size === size) await pause(0.5);
      times.push(performance.now() - start);
    }
    return quantiles(times);
  } finally {
    await file.close();
    await logger.close();
    await worker.stop();
  }
}
