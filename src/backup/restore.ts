// Restores a backup into a site on which no worker runs.

import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { version } from '../base/version.js';
import { absent, findLogParts } from '../log/read/files.js';
import { checkpointPath } from '../log/writer/checkpoint.js';
import type { Site } from '../site/site.js';
import { StoreUnavailableError } from '../store/errors.js';
import { NewerDatabaseError } from '../store/migrate.js';
import { openStore, type Store } from '../store/store.js';
import { type BackupList, unpack } from './archive.js';
import { embeddedLayer } from './backup.js';
import { adoptSpool, spoolFiles } from './copy-log.js';
import { copyRows, filledTables } from './copy-rows.js';
import { BadBackupError, RefusedError } from './errors.js';
import { refuseWorkers } from './refuse-workers.js';
import { untyped, withSiteTables } from './site-tables.js';

export interface RestoreOptions {
  readonly site: Site;
  readonly file: string;
  /** Whether what the site has is replaced. Its files are kept in a directory of their own. */
  readonly force: boolean;
  /** Called with what is done next. */
  onStep(text: string): void;
}

export interface RestoreReport {
  readonly backup: Pick<BackupList, 'site' | 'createdAt' | 'linod'>;
  readonly logFiles: number;
  readonly spoolFiles: number;
  readonly hasMessages: boolean;
  /** Where the files are that the site had before; null when it had none. */
  readonly setAside: string | null;
}

/**
 * Restores a backup of any kind of database into the database of this site. Nothing changes before the whole
 * backup was checked.
 *
 * @throws BadBackupError (`LINOD_ERR_BAD_BACKUP`); NewerDatabaseError; RefusedError while a worker runs, or when
 *   the site is not empty
 */
export async function restore({ site, file, force, onStep }: RestoreOptions): Promise<RestoreReport> {
  const work = await mkdtemp(join(site.directory, '.restore-'));
  try {
    onStep('checking the backup');
    const content = join(work, 'content');
    const list = await unpack(file, content);
    await prepareDatabase(file, list, join(content, 'linod.db'));
    await examine(site, force);
    onStep('restoring the database');
    const setAside = await setAsideFiles(site, [...(await logFiles(site)), ...databaseFiles(site)]);
    if (isEmbedded(site)) await place(join(content, 'linod.db'), fileOf(site.settings.databaseUrl));
    else await fillServer(site, join(content, 'linod.db'), onStep);
    const layer = embeddedLayer(site);
    const hasMessages = layer !== undefined && existsSync(join(content, 'channels.db'));
    if (hasMessages) await place(join(content, 'channels.db'), fileOf(layer));
    onStep('restoring the log');
    const logs = await readdir(join(content, 'log')).catch(absent([]));
    for (const name of logs) await place(join(content, 'log', name), join(site.logDirectory, name));
    const spools = await readdir(join(content, 'spool')).catch(absent([]));
    await mkdir(site.spoolDirectory, { recursive: true });
    for (const name of spools)
      await adoptSpool(join(content, 'spool', name), join(site.spoolDirectory, name));
    const { site: name, createdAt, linod } = list;
    const restored = logs.filter((log) => log !== basename(checkpointPath(site.logFile))).length;
    const backup = { site: name, createdAt, linod };
    return { backup, logFiles: restored, spoolFiles: spools.length, hasMessages, setAside };
  } finally {
    // A damaged archive ends the extraction while files of it are still being written.
    await rm(work, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** Migrates the restored database, and ends what its workers did: they are not those of this site. */
async function prepareDatabase(file: string, list: BackupList, path: string): Promise<void> {
  if (!existsSync(path)) throw new BadBackupError(file, 'it has no database');
  try {
    const store = await openStore({ path });
    try {
      const now = Date.now();
      await store.db
        .updateTable('workers')
        .set({ stopped_at: now, stop_reason: 'the site was restored from a backup' })
        .where('stopped_at', 'is', null)
        .execute();
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!(error instanceof NewerDatabaseError)) throw error;
    const why = `linod ${list.linod} wrote backup ${file}, this is ${version}: update linod first`;
    throw new RefusedError(`${why} (${error.message})`, error.code);
  }
}

/** Refuses a site that works, or that has something. @throws RefusedError */
async function examine(site: Site, force: boolean): Promise<void> {
  const found = await logFiles(site);
  const hasDatabase = !isEmbedded(site) || existsSync(fileOf(site.settings.databaseUrl));
  const store = hasDatabase ? await openOld(site, isEmbedded(site) && force) : null;
  try {
    if (store !== null) await refuseWorkers(site, store);
    if (store !== null) found.push(...(await withSiteTables((all) => filledTables(untyped(store.db), all))));
  } finally {
    await store?.close();
  }
  if (force || found.length === 0) return;
  const first = found.slice(0, 3).map((name) => site.shorten(name));
  throw new RefusedError(
    `site ${site.name} is not empty: it has ${first.join(', ')}; restore into a new site, or use --force`,
  );
}

/** @param mayBeDamaged whether a database that cannot be opened is null instead of an error */
async function openOld(site: Site, mayBeDamaged: boolean): Promise<Store | null> {
  try {
    return await openStore(site);
  } catch (error) {
    if (mayBeDamaged && error instanceof StoreUnavailableError) return null;
    throw error;
  }
}

/** The files of the log, and the records that wait for it. */
async function logFiles(site: Site): Promise<string[]> {
  const parts = await findLogParts(site.logFile, site.settings.timezone);
  const log = parts.filter(({ bytes }) => bytes > 0).map(({ path }) => path);
  const spools = (await spoolFiles(site)).map((name) => join(site.spoolDirectory, name));
  return [...log, ...spools];
}

/** The files that exist of the embedded databases, and the checkpoint of the log. */
function databaseFiles(site: Site): string[] {
  const urls = [isEmbedded(site) ? site.settings.databaseUrl : undefined, embeddedLayer(site)];
  const files = urls.flatMap((url) =>
    url === undefined ? [] : ['', '-wal', '-shm'].map((ending) => fileOf(url) + ending),
  );
  return [...files, checkpointPath(site.logFile)].filter((path) => existsSync(path));
}

function isEmbedded(site: Site): boolean {
  return site.settings.databaseUrl.startsWith('sqlite:');
}

async function setAsideFiles(site: Site, files: readonly string[]): Promise<string | null> {
  if (files.length === 0) return null;
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const directory = join(site.directory, `before-restore-${stamp}`);
  await mkdir(directory);
  for (const path of files) await place(path, join(directory, basename(path)));
  return directory;
}

/** Moves a file, also to another file system. */
async function place(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const isMoved = await rename(from, to).then(
    () => true,
    () => false,
  );
  if (isMoved) return;
  await copyFile(from, to);
  if ((await stat(to)).size === (await stat(from)).size) await rm(from);
}

async function fillServer(site: Site, path: string, onStep: (text: string) => void): Promise<void> {
  const source = await openStore({ path });
  const target = await openStore(site);
  const into = target.connect();
  const onProgress = (table: string, rows: number) => onStep(`restoring ${table}: ${rows} rows`);
  try {
    await withSiteTables((tables) =>
      copyRows({ from: untyped(source.db), to: untyped(into), tables, onProgress }),
    );
  } finally {
    await into.destroy();
    await target.close();
    await source.close();
  }
}

function fileOf(url: string): string {
  return url.slice('sqlite:'.length);
}
