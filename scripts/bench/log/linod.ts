// A site of linod with its real worker, and processes that log with createLogger.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SiteConfig } from '../../../src/site/settings.js';
import { loadSite, type Site } from '../../../src/site.js';
import { Program } from '../shared/program.js';
import { RedisServer } from '../shared/redis-server.js';
import type { Found } from '../shared/results.js';
import { race, senders } from './contest.js';
import type { Context } from './context.js';
import { onNode, SenderProcess } from './sender-process.js';

const runworker = fileURLToPath(new URL('../../../../dist/scripts/runworker.js', import.meta.url));

/** Makes a site in a directory. */
export async function makeSite(directory: string, settings: SiteConfig = {}): Promise<Site> {
  await mkdir(directory, { recursive: true });
  const config: SiteConfig = { name: 'bench', shippedProcedures: false, timezone: 'UTC', ...settings };
  await writeFile(join(directory, 'linod.config.json'), JSON.stringify(config));
  return await loadSite(directory, { environment: {} });
}

/** Starts the site's worker with the logger coroutine, and waits until it listens. */
export async function startWorker(site: Site): Promise<Program> {
  const args = [runworker, site.channel, '--initiate'];
  const options = { name: 'linod', command: process.execPath, args, directory: site.directory };
  return await Program.start({ ...options, ready: /is listening/ });
}

/** Starts a process that logs. @param loggers how many names, each a sender of its own, share its records */
export async function startSender(site: Site, loggers = 1, waits = true): Promise<SenderProcess> {
  const args = [site.directory, String(loggers), waits ? 'wait' : 'run'];
  return await SenderProcess.start(onNode('linod-sender.js', site.directory, ...args));
}

/** Four processes, the channel layer of a file. */
export async function onSqlite({ directory, quick }: Context): Promise<Found> {
  return await contest(await makeSite(directory), quick);
}

/** The same over a Redis that is started for it; `redis` is its processor time in µs a record. */
export async function onRedis({ directory, quick, versions }: Context): Promise<Found> {
  const redis = await RedisServer.start();
  versions.add(`Redis ${redis.version}`);
  try {
    return await contest(await makeSite(directory, { channelLayer: redis.url }), quick);
  } finally {
    await redis.close();
  }
}

async function contest(site: Site, quick: boolean): Promise<Found> {
  const worker = await startWorker(site);
  const processes = await Promise.all(Array.from({ length: senders }, () => startSender(site)));
  const common = { processes, path: site.logFile, serverCpuMs: () => worker.usage().cpuMs };
  const records = quick ? 5000 : 500_000;
  try {
    // The first records find everything cold.
    await race({ ...common, records: Math.ceil(records / 20) });
    return await race({ ...common, records });
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
    await worker.stop();
  }
}
