// Backs up a site while it runs: database, waiting messages, log and spool files, in one file.

import { chmodSync, existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { LinodError } from '../base/errors.js';
import { version } from '../base/version.js';
import type { Site } from '../site/site.js';
import { openStore, type Store } from '../store/store.js';
import { pack } from './archive.js';
import { copyLog } from './copy-log.js';
import { copyRows, type OnRows } from './copy-rows.js';
import { embeddedFiles } from './embedded-files.js';
import { BackupFailedError } from './errors.js';
import { refuseUnknownOwners } from './site-tables.js';

export interface BackupReport {
  readonly file: string;
  readonly bytes: number;
  readonly logFiles: number;
  readonly spoolFiles: number;
  /** Whether the messages that wait are in it: those of an embedded channel layer. */
  readonly hasMessages: boolean;
  /** Files of the site that are not in it. */
  readonly configuration: readonly string[];
}

export interface BackupOptions {
  readonly site: Site;
  readonly store: Store;
  readonly file: string;
  /** Called with what is done next. When it or `onRows` throws, the backup ends, and leaves nothing. */
  readonly onStep: (text: string) => void;
  readonly onRows: OnRows;
}

/**
 * Writes a backup. Whoever writes to the site meanwhile is not blocked.
 *
 * @throws BackupFailedError (`LINOD_ERR_BACKUP_FAILED`)
 */
export async function backUp(options: BackupOptions): Promise<BackupReport> {
  const path = resolve(options.file);
  try {
    const work = await mkdtemp(`${path}.part-`);
    return await writeBackup(options, path, work).finally(() => rm(work, { recursive: true, force: true }));
  } catch (error) {
    throw error instanceof LinodError ? error : new BackupFailedError(path, error);
  }
}

async function writeBackup(
  { site, store, onStep, onRows }: BackupOptions,
  path: string,
  work: string,
): Promise<BackupReport> {
  const content = join(work, 'content');
  await mkdir(content);
  onStep('copying the database');
  const { database, layer } = embeddedFiles(site);
  const copy = join(content, 'linod.db');
  if (database === undefined) await copyServer(store, copy, onRows);
  else copyFileOf(database, copy);
  const hasMessages = layer !== undefined && existsSync(layer);
  if (hasMessages) copyFileOf(layer, join(content, 'channels.db'));
  onStep('copying the log');
  const { logFiles, spoolFiles } = await copyLog(site, content);
  onStep('packing');
  const configuration = [site.configFile, ...site.settings.procedures].map((name) => site.shorten(name));
  const about = { linod: version, site: site.name, createdAt: new Date().toISOString(), configuration };
  await pack(content, path, join(work, 'backup.tar.gz'), about);
  const { size: bytes } = await stat(path);
  return { file: path, bytes, logFiles, spoolFiles, hasMessages, configuration };
}

/** Copies a SQLite file as it is at one moment. SQLite's own copy begins anew with every write of another process. */
function copyFileOf(path: string, to: string): void {
  const source = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    source.prepare('vacuum into ?').run(to);
    // A restored file is for the same users.
    chmodSync(to, statSync(path).mode & 0o777);
  } finally {
    source.close();
  }
}

/** A SQLite file is the portable form of any database of a site. */
async function copyServer(store: Store, path: string, onRows: OnRows): Promise<void> {
  await refuseUnknownOwners(store);
  const target = await openStore({ path });
  try {
    await copyRows(store, target, onRows);
  } finally {
    await target.close();
  }
}
