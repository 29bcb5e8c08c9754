// Gathers the facts of a site. What cannot be gathered stops only the checks that need it.

import { statfsSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { missingRight } from '../base/file-rights.js';
import { ownerState } from '../base/process-owner.js';
import { version } from '../base/version.js';
import { absent, findLogParts } from '../log/read/files.js';
import { verifyLog } from '../log/read/verify.js';
import { BadSpoolError, readSpoolHeader } from '../log/sender/spool-file.js';
import type { Site } from '../site/site.js';
import { NotRunError } from './check.js';
import type { Facts, ProgramFacts, SiteFacts, SpoolFacts } from './facts.js';
import { gatherLayer, gatherRedis } from './gather-layer.js';
import { gatherStore, type StoreParts } from './gather-store.js';
import { messageOf, notRun, part } from './part.js';

/** A larger file is left to `linod log verify`. */
const mostLogBytes = 32 * 1024 ** 2;

/** @param load finds and reads the site */
export async function gatherFacts(load: () => Promise<Site>): Promise<Facts> {
  const program = gatherProgram();
  let site: Site;
  try {
    site = await load();
  } catch (error) {
    const why = 'the configuration cannot be read';
    return { ...without(why), program, configurationProblem: messageOf(error) };
  }
  const [found, store, logFaults, spools, redis] = await Promise.all([
    part(() => gatherSite(site)),
    gatherStore(site),
    part(() => gatherLogFaults(site)),
    part(() => gatherSpools(site)),
    part(() => gatherRedis(site)),
  ]);
  const layer = await part(() => gatherLayer(site, knownWorkers(store)));
  const layerProblem = layer.problem;
  return {
    now: Date.now(),
    program,
    configurationProblem: null,
    site: found.get,
    ...store,
    layerProblem,
    layer: layer.get,
    redis: redis.get,
    spools: spools.get,
    logFaults: logFaults.get,
  };
}

/** The facts of a site that cannot be read. */
function without(why: string): Omit<Facts, 'program' | 'configurationProblem'> {
  const none = notRun(why);
  return {
    ...{ now: Date.now(), databaseProblem: null, layerProblem: null },
    ...{ site: none, database: none, integrity: none, workers: none, rules: none },
    ...{ waitingMails: none, alarms: none, layer: none, redis: none, spools: none, logFaults: none },
  };
}

function gatherProgram(): ProgramFacts {
  let nativeProblem: string | null = null;
  try {
    new Sqlite(':memory:').close();
  } catch (error) {
    nativeProblem = messageOf(error).split('\n', 1)[0] ?? '';
  }
  const { node, tz = '' } = process.versions;
  return { linod: version, node, zoneData: tz, nativeProblem };
}

async function gatherSite(site: Site): Promise<SiteFacts> {
  const { databaseUrl, channelLayer, httpCertificate, httpKey } = site.settings;
  const urls = [databaseUrl, channelLayer].flat().filter((url) => url.startsWith('sqlite:'));
  const databases = urls.map((url) => url.slice('sqlite:'.length));
  const directories = [...new Set([...databases.map((path) => dirname(path)), site.logDirectory])];
  const written = [
    ...databases.flatMap((path) => [path, `${path}-wal`, `${path}-shm`]),
    ...[site.logFile, site.spoolDirectory, ...directories],
  ];
  const rights = [
    missingRight([...written, httpCertificate, httpKey], 'read'),
    missingRight(written, 'write'),
  ];
  const broken = await site.loadProcedures().catch((error) => [error]);
  return {
    channel: site.channel,
    settings: site.settings,
    brokenProcedures: broken.map(messageOf),
    missingRights: rights.filter((text) => text !== ''),
    disks: directories.flatMap((directory) => {
      const freeBytes = freeOf(directory);
      return freeBytes === undefined ? [] : [{ directory, freeBytes }];
    }),
    walFiles: databases.map((path) => {
      const wal = `${path}-wal`;
      return { path: wal, bytes: statSync(wal, { throwIfNoEntry: false })?.size ?? 0 };
    }),
  };
}

function freeOf(directory: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return undefined; // it does not exist yet
  }
}

async function gatherLogFaults(site: Site): Promise<string[]> {
  const { timezone } = site.settings;
  const newest = (await findLogParts(site.logFile, timezone)).at(-1);
  if (newest === undefined) return [];
  if (newest.bytes > mostLogBytes) throw new NotRunError('the file is large: run linod log verify');
  const { isSound, faultCount, lost } = await verifyLog([newest], { timezone, growing: site.logFile });
  return [
    ...(isSound ? [] : [`${site.shorten(newest.path)} has ${faultCount} faults`]),
    ...lost.map(({ sender, from, to }) => `records ${from} to ${to} of ${sender} are lost`),
  ];
}

async function gatherSpools(site: Site): Promise<SpoolFacts[]> {
  const names = await readdir(site.spoolDirectory).catch(absent([]));
  const found = names.filter((name) => name.endsWith('.spool')).map((name) => spoolFacts(site, name));
  return (await Promise.all(found)).flat();
}

/** Empty for a file that was removed meanwhile. */
async function spoolFacts(site: Site, name: string): Promise<SpoolFacts[]> {
  const path = join(site.spoolDirectory, name);
  try {
    const { size: bytes, mtimeMs: changedAt } = await stat(path);
    return [{ name, bytes, changedAt, owner: ownerState(readSpoolHeader(path).owner) }];
  } catch (error) {
    if (!(error instanceof BadSpoolError)) return [];
    return [{ name, bytes: 0, changedAt: 0, owner: 'dead' }];
  }
}

function knownWorkers({ workers }: StoreParts): ReadonlySet<string> | null {
  try {
    return new Set(workers().map(({ id }) => id));
  } catch {
    return null; // the checks of the database report why
  }
}
