// Restores a backup into a site on which no worker runs.

import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { version } from '../base/version.js';
import { absent, findLogParts } from '../log/read/files.js';
import { checkpointPath } from '../log/writer/checkpoint.js';
import type { Site } from '../site/site.js';
import { StoreUnavailableError } from '../store/errors.js';
import { NewerDatabaseError } from '../store/migrate.js';
import { openStore, type Store } from '../store/store.js';
import { type BackupHead, unpack } from './archive.js';
import { adoptSpool, spoolFiles } from './copy-log.js';
import { copyRows, filledTables, type OnRows } from './copy-rows.js';
import { embeddedFiles } from './embedded-files.js';
import { BadBackupError, RefusedError, RestoreFailedError } from './errors.js';
import { refuseWorkers } from './refuse-workers.js';
import { refuseUnknownOwners } from './site-tables.js';

export interface RestoreOptions {
  readonly site: Site;
  readonly file: string;
  /** Whether what the site has is replaced. Its files are kept in a directory of their own. */
  readonly force: boolean;
  /** Called with what is done next. */
  readonly onStep: (text: string) => void;
  readonly onRows: OnRows;
}

export interface RestoreReport {
  readonly backup: Pick<BackupHead, 'site' | 'createdAt' | 'linod'>;
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
 *   the site is not empty; RestoreFailedError (`LINOD_ERR_RESTORE_FAILED`) when it stops half way
 */
export async function restore({ site, file, force, onStep, onRows }: RestoreOptions): Promise<RestoreReport> {
  const work = await mkdtemp(join(site.directory, '.restore-'));
  try {
    onStep('checking the backup');
    const content = join(work, 'content');
    const head = await unpack(file, content);
    const { database, layer } = embeddedFiles(site);
    const restored = join(content, 'linod.db');
    await prepareDatabase(file, head, restored, database === undefined);
    await examine(site, force);
    onStep('restoring the database');
    // In one transaction: if it fails, the site is as it was.
    if (database === undefined) await fillServer(site, restored, onRows);
    const stamp = new Date().toISOString().replaceAll(/[-:.]/g, '');
    const aside = join(site.directory, `before-restore-${stamp}`);
    try {
      const setAside = (await setAsideFiles(site, aside)) ? aside : null;
      if (database !== undefined) await place(restored, database);
      const messages = join(content, 'channels.db');
      const hasMessages = layer !== undefined && existsSync(messages);
      if (hasMessages) await place(messages, layer);
      onStep('restoring the log');
      const [logs, spools] = [join(content, 'log'), join(content, 'spool')];
      const logFiles = await eachFile(logs, (path) => place(path, join(site.logDirectory, basename(path))));
      await mkdir(site.spoolDirectory, { recursive: true });
      const spoolFiles = await eachFile(spools, (path) =>
        adoptSpool(path, join(site.spoolDirectory, basename(path))),
      );
      const { site: name, createdAt, linod } = head;
      return { backup: { site: name, createdAt, linod }, logFiles, spoolFiles, hasMessages, setAside };
    } catch (error) {
      throw new RestoreFailedError(file, existsSync(aside) ? site.shorten(aside) : null, error);
    }
  } finally {
    // A damaged archive ends the extraction while files of it are still being written.
    await rm(work, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/**
 * Migrates the restored database, and ends what its workers did: they are not those of this site.
 *
 * @param isCopied whether its rows go to a server
 */
async function prepareDatabase(
  file: string,
  head: BackupHead,
  path: string,
  isCopied: boolean,
): Promise<void> {
  if (!existsSync(path)) throw new BadBackupError(file, 'it has no database');
  try {
    const store = await openStore({ path });
    try {
      if (isCopied) await refuseUnknownOwners(store);
      await store.db
        .updateTable('workers')
        .set({ stopped_at: Date.now(), stop_reason: 'the site was restored from a backup' })
        .where('stopped_at', 'is', null)
        .execute();
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!(error instanceof NewerDatabaseError)) throw error;
    const why = `linod ${head.linod} wrote backup ${file}, this is ${version}: update linod first`;
    throw new RefusedError(`${why} (${error.message})`, error.code);
  }
}

/** Refuses a site that works, or that has something. @throws RefusedError */
async function examine(site: Site, force: boolean): Promise<void> {
  const found = await logFiles(site);
  const { database } = embeddedFiles(site);
  let store: Store | undefined;
  try {
    if (database === undefined || existsSync(database)) store = await openStore(site);
    if (store !== undefined) await refuseWorkers(site, store);
    if (store !== undefined && !force) found.push(...(await filledTables(store)));
  } catch (error) {
    const isReplaced = force && database !== undefined;
    if (!isReplaced || !isDamage(error)) throw error;
  } finally {
    await store?.close();
  }
  if (force || found.length === 0) return;
  const first = found.slice(0, 3).map((name) => site.shorten(name));
  throw new RefusedError(
    `site ${site.name} is not empty: it has ${first.join(', ')}; restore into a new site, or use --force`,
  );
}

/** A database that is locked, or that this user may not read, is not damaged: a worker may be using it. */
function isDamage(error: unknown): boolean {
  const cause = error instanceof StoreUnavailableError ? error.cause : error;
  return cause instanceof Sqlite.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(cause.code);
}

/** The files of the log, and the records that wait for it. */
async function logFiles(site: Site): Promise<string[]> {
  const parts = await findLogParts(site.logFile, site.settings.timezone);
  return [...parts.filter(({ bytes }) => bytes > 0).map(({ path }) => path), ...(await spoolFiles(site))];
}

/** Moves the files of the site into a directory, by their paths. @returns whether it had any */
async function setAsideFiles(site: Site, directory: string): Promise<boolean> {
  const { database, layer } = embeddedFiles(site);
  const databases = [database, layer].flatMap((path) => (path ? [path, `${path}-wal`, `${path}-shm`] : []));
  const others = [...databases, checkpointPath(site.logFile)].filter((path) => existsSync(path));
  const files = new Set([...(await logFiles(site)), ...others]);
  if (files.size === 0) return false;
  await mkdir(directory, { mode: 0o700 });
  for (const path of files) await place(path, join(directory, site.shorten(path)));
  return true;
}

/** Moves a file, also to another file system. */
async function place(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  try {
    await rename(from, to);
  } catch {
    await copyFile(from, to);
    await rm(from);
  }
}

/** @returns how many files a directory of the backup has, without the checkpoint of the log */
async function eachFile(directory: string, put: (path: string) => Promise<void>): Promise<number> {
  const names = await readdir(directory).catch(absent([]));
  for (const name of names) await put(join(directory, name));
  return names.filter((name) => name !== basename(checkpointPath(name))).length;
}

async function fillServer(site: Site, path: string, onRows: OnRows): Promise<void> {
  const source = await openStore({ path });
  const target = await openStore(site);
  try {
    await copyRows(source, target, onRows);
  } finally {
    await target.close();
    await source.close();
  }
}
