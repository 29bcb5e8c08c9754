// Backs up a site while it runs: database, waiting messages, log and spool files, in one file.

import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { version } from '../base/version.js';
import type { Site } from '../site/site.js';
import { openStore, type Store } from '../store/store.js';
import { pack } from './archive.js';
import { copyLog } from './copy-log.js';
import { copyRows } from './copy-rows.js';
import { refuseUnknownOwners, siteTables, untyped } from './site-tables.js';

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
  /** Called with what is done next. When it throws, the backup ends, and leaves nothing. */
  onStep(text: string): void;
}

/** Writes a backup. Whoever writes to the site meanwhile is not blocked. */
export async function backUp({ site, store, file, onStep }: BackupOptions): Promise<BackupReport> {
  const path = resolve(file);
  const work = await mkdtemp(`${path}.part-`);
  try {
    const content = join(work, 'content');
    await mkdir(content);
    onStep('copying the database');
    const { databaseUrl } = site.settings;
    const database = join(content, 'linod.db');
    if (databaseUrl.startsWith('sqlite:')) copyFileOf(databaseUrl, database);
    else await copyServer(store, database, onStep);
    const layer = embeddedLayer(site);
    const hasMessages = layer !== undefined && (await isFile(layer));
    if (hasMessages) copyFileOf(layer, join(content, 'channels.db'));
    onStep('copying the log');
    const { log, spool } = await copyLog(site, content);
    onStep('packing');
    const configuration = [site.configFile, ...site.settings.procedures].map((name) => site.shorten(name));
    const about = { linod: version, site: site.name, createdAt: new Date().toISOString(), configuration };
    await pack(content, path, join(work, 'backup.tar.gz'), about);
    const { size: bytes } = await stat(path);
    return { file: path, bytes, logFiles: log, spoolFiles: spool, hasMessages, configuration };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The file of the channel layer; undefined for a server. */
export function embeddedLayer({ settings }: Site): string | undefined {
  const { channelLayer } = settings;
  return typeof channelLayer === 'string' && channelLayer.startsWith('sqlite:') ? channelLayer : undefined;
}

async function isFile(url: string): Promise<boolean> {
  return await stat(url.slice('sqlite:'.length)).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Copies a SQLite file as it is at one moment. SQLite's own copy begins anew with every write of another process. */
function copyFileOf(url: string, to: string): void {
  const source = new Sqlite(url.slice('sqlite:'.length), { readonly: true, fileMustExist: true });
  try {
    source.prepare('vacuum into ?').run(to);
  } finally {
    source.close();
  }
}

/** A SQLite file is the portable form of any database of a site. */
async function copyServer(store: Store, path: string, onStep: (text: string) => void): Promise<void> {
  const target = await openStore({ path });
  const source = store.connect();
  try {
    const [from, to] = [untyped(source), untyped(target.db)];
    await refuseUnknownOwners(from);
    const onProgress = (table: string, rows: number) => onStep(`copying ${table}: ${rows} rows`);
    await copyRows({ from, to, tables: await siteTables(to), onProgress });
  } finally {
    await source.destroy();
    await target.close();
  }
}
