// What the writer takes with many senders, and a sender whose writer is away.

import type { Found } from '../shared/results.js';
import { race } from './contest.js';
import type { Context } from './context.js';
import { makeSite, startSender, startWorker } from './linod.js';

const hour = 3_600_000;

/** 100 senders in four processes log at full speed: `peak` of the worker's memory in MiB. */
export async function hundredSenders({ directory, quick }: Context): Promise<Found> {
  const site = await makeSite(directory);
  const worker = await startWorker(site);
  const processes = await Promise.all([1, 2, 3, 4].map(() => startSender(site, 25)));
  try {
    const serverCpuMs = () => worker.usage().cpuMs;
    await race({ processes, records: quick ? 5000 : 250_000, path: site.logFile, serverCpuMs });
    return { peak: worker.usage().peakRssBytes / 1024 ** 2 };
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
    await worker.stop();
  }
}

/**
 * Nobody takes the records: those of an hour at a thousand a second, as quickly as the sender takes them.
 *
 * @returns `growth`: MiB that the sender has more after all of them than after the first sixth; `rss` at the end
 */
export async function writerAway({ directory, quick }: Context): Promise<Found> {
  const site = await makeSite(directory);
  const sender = await startSender(site, 1, false);
  const records = quick ? 30_000 : hour;
  try {
    sender.tell(String(records / 6));
    await sender.says('done');
    const before = sender.usage().rssBytes;
    await sender.stop();
    const whole = await startSender(site, 1, false);
    whole.tell(String(records));
    await whole.says('done');
    const after = whole.usage().rssBytes;
    await whole.stop();
    return { growth: (after - before) / 1024 ** 2, rss: after / 1024 ** 2 };
  } finally {
    await sender.kill();
  }
}
