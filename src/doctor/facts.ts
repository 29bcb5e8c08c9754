// What the checks know: gathered once, before the first check runs. What cannot be gathered stops only the checks
// that need it.

import { statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { missingRight } from '../base/files/file-rights.js';
import { type OwnerState, ownerState } from '../base/process-owner.js';
import { version } from '../base/version.js';
import { freeDisks } from '../insight/site-health.js';
import { absent } from '../log/read/files.js';
import { readSpoolHeader } from '../log/sender/spool-file.js';
import type { Settings } from '../site/settings.js';
import type { Site } from '../site/site.js';
import { gatherLayer, gatherRedis, type LayerFacts, type RedisFacts } from './gather-layer.js';
import { gatherStore, type StoreFacts } from './gather-store.js';
import { checkIntegrity } from './integrity.js';
import { messageOf, missing, type Part, part } from './part.js';

export interface Facts extends StoreFacts {
  /** In ms since 1970. */
  readonly now: number;
  readonly program: ProgramFacts;
  /** Why the configuration cannot be read; null when it can. */
  readonly configurationProblem: string | null;
  readonly site: Part<SiteFacts>;
  /** What `PRAGMA quick_check` found. */
  readonly integrity: Part<readonly string[]>;
  readonly layer: Part<LayerFacts>;
  readonly redis: Part<readonly RedisFacts[]>;
  readonly spools: Part<readonly SpoolFacts[]>;
}

export interface ProgramFacts {
  readonly linod: string;
  readonly node: string;
  /** The version of Node's zone data, `2026a`. */
  readonly zoneData: string;
  /** Why better-sqlite3 cannot be loaded; null when it can. */
  readonly nativeProblem: string | null;
}

export interface SiteFacts {
  readonly settings: Settings;
  /** Procedures that cannot be loaded, and why. */
  readonly brokenProcedures: readonly string[];
  /** Which file this user may not read or write. */
  readonly missingRights: readonly string[];
  readonly disks: ReadonlyArray<{ readonly directory: string; readonly free: number }>;
  /** The write-ahead logs of SQLite files. */
  readonly walFiles: ReadonlyArray<{ readonly path: string; readonly bytes: number }>;
}

export interface SpoolFacts {
  readonly name: string;
  readonly bytes: number;
  /** In ms since 1970. */
  readonly changedAt: number;
  readonly owner: OwnerState;
}

/** @param load finds and reads the site */
export async function gatherFacts(load: () => Promise<Site>): Promise<Facts> {
  const program = gatherProgram();
  try {
    const site = await load();
    return { now: Date.now(), program, configurationProblem: null, ...(await gatherParts(site)) };
  } catch (error) {
    const none = missing('the configuration cannot be read');
    return {
      ...{ now: Date.now(), program, configurationProblem: messageOf(error) },
      ...{ site: none, integrity: none, layer: none, redis: none, spools: none },
      ...{
        database: none,
        workers: none,
        workerProblems: none,
        rules: none,
        waitingMails: none,
        alarms: none,
      },
    };
  }
}

async function gatherParts(site: Site): Promise<Omit<Facts, 'now' | 'program' | 'configurationProblem'>> {
  const [own, [store, layer], redis, spools] = await Promise.all([
    part(() => gatherSite(site)),
    gatherStore(site).then(async (store) => {
      const known = store.workers.has ? new Set(store.workers.get().map(({ id }) => id)) : null;
      return [store, await part(() => gatherLayer(site, known))] as const;
    }),
    part(() => gatherRedis(site)),
    part(() => gatherSpools(site)),
  ]);
  // At the end, since it blocks.
  const integrity = await part(() => checkIntegrity(site.settings.databaseUrl));
  return { site: own, ...store, integrity, layer, redis, spools };
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
  const { settings, logFile, spoolDirectory } = site;
  const { databaseUrl, channelLayer, httpCertificate, httpKey } = settings;
  const urls = [databaseUrl, channelLayer].flat().filter((url) => url.startsWith('sqlite:'));
  const databases = urls.map((url) => url.slice('sqlite:'.length));
  const disks = freeDisks(site);
  const directories = disks.map(({ directory }) => directory);
  const files = databases.flatMap((path) => [path, `${path}-wal`, `${path}-shm`]);
  const written = [...files, logFile, spoolDirectory, ...directories];
  const rights = [
    missingRight([...written, httpCertificate, httpKey], 'read'),
    missingRight(written, 'write'),
  ];
  const broken = await site.loadProcedures().catch((error) => [error]);
  return {
    settings,
    brokenProcedures: broken.map(messageOf),
    missingRights: rights.filter((text) => text !== ''),
    disks,
    walFiles: databases.map((path) => {
      const wal = `${path}-wal`;
      return { path: wal, bytes: statSync(wal, { throwIfNoEntry: false })?.size ?? 0 };
    }),
  };
}

async function gatherSpools({ spoolDirectory }: Site): Promise<SpoolFacts[]> {
  const names = await readdir(spoolDirectory).catch(absent([]));
  const found = names.map(async (name): Promise<SpoolFacts[]> => {
    if (!name.endsWith('.spool')) return [];
    const path = join(spoolDirectory, name);
    const status = await stat(path).catch(absent(null));
    if (status === null) return [];
    return [{ name, bytes: status.size, changedAt: status.mtimeMs, owner: ownerOf(path) }];
  });
  return (await Promise.all(found)).flat();
}

function ownerOf(path: string): OwnerState {
  try {
    return ownerState(readSpoolHeader(path).owner);
  } catch {
    return 'dead'; // nobody sends an unreadable file
  }
}
