// Opens the file of the embedded layer: its settings, its tables, and whether it is ours at all.

import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { LayerFileError } from './errors.js';

export type Database = BetterSqlite3.Database;

/** How long SQLite may block this process while the file is locked; the layer's own patience is longer. */
const busyTimeoutMs = 10;

/** Marks the file as a channel layer's, so that no other database is taken for one. ("lnch") */
const applicationId = 0x6c6e6368;
const schemaVersion = 5;

// `message` is clustered by key and place in the queue, so that a send and a receive each touch one page. Places count
// up within a key, and begin anew when the queue was empty. `lease` has the messages that were handed out and are not
// acknowledged; `token` is another one each time that happens. Instants are in ms since 1970.
const schema = `
  CREATE TABLE message (
    key TEXT NOT NULL,
    place INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    channels TEXT,
    body BLOB NOT NULL,
    PRIMARY KEY (key, place)
  ) WITHOUT ROWID;
  CREATE TABLE membership (
    group_name TEXT NOT NULL,
    channel TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (group_name, channel)
  ) WITHOUT ROWID;
  CREATE INDEX membership_by_expiry ON membership (expires_at);
  CREATE TABLE lease (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    ends_at INTEGER NOT NULL,
    token INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    body BLOB NOT NULL
  );
  CREATE INDEX lease_by_end ON lease (key, ends_at);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`;

/**
 * Opens the file, creating it and its tables where they are missing.
 *
 * @throws LayerFileError for a file that is another program's or another version's; what SQLite throws
 */
export function openDatabase(path: string): Database {
  if (!existsSync(dirname(path))) {
    const sqliteCode = 'SQLITE_CANTOPEN';
    throw new LayerFileError(path, 'lies in a directory that does not exist', { sqliteCode });
  }
  const Sqlite = loadSqlite(path);
  const db = openFile(Sqlite, path);
  try {
    if (isEmpty(db, path)) create(db, path);
    useWal(db, path);
    // Safe against crashes of processes; a power cut may take the last messages, never the file.
    db.pragma('synchronous = NORMAL');
    checkpointEvery(db, pagesPerCheckpoint);
    db.pragma('journal_size_limit = 16777216');
    db.pragma('temp_store = MEMORY');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * For a user who may only look: writes nothing, and makes no file. One that is missing is empty.
 *
 * @throws LayerFileError for a file that is another program's or another version's; what SQLite throws
 */
export function openToRead(path: string): Database {
  const Sqlite = loadSqlite(path);
  const db = existsSync(path) ? openOrCopy(Sqlite, path) : new Sqlite(':memory:');
  try {
    if (isEmpty(db, path)) {
      db.close();
      return new Sqlite(':memory:').exec(schema);
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function openOrCopy(Sqlite: typeof BetterSqlite3, path: string): Database {
  const db = new Sqlite(path, { readonly: true, timeout: busyTimeoutMs });
  try {
    db.pragma('schema_version');
    return db;
  } catch (error) {
    db.close();
    if (existsSync(`${path}-wal`)) throw error;
  }
  // Nobody has it open, and this user cannot make the files beside it that SQLite shares: a copy says the same.
  const copy = readFileSync(path);
  // The header says that the file needs those. Source: sqlite.org/fileformat2.html, "File format version numbers".
  copy.fill(1, 18, 20);
  return new Sqlite(copy, { readonly: true });
}

/** Whether this user may not write the file, or may not make it. */
export function mayOnlyRead(path: string): boolean {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
    return false;
  } catch {
    return existsSync(dirname(path));
  }
}

/** Whoever makes the `-wal` full writes 16 MB back and waits for the disk: the larger, the seldomer. */
export const pagesPerCheckpoint = 4000;

export function checkpointEvery(db: Database, pages: number): void {
  db.pragma(`wal_autocheckpoint = ${pages}`);
}

/** Loaded at the first use, so that a site on Redis needs no native module. */
function loadSqlite(path: string): typeof BetterSqlite3 {
  try {
    return createRequire(import.meta.url)('better-sqlite3');
  } catch (cause) {
    throw notBuilt(path, cause);
  }
}

function openFile(Sqlite: typeof BetterSqlite3, path: string): Database {
  try {
    return new Sqlite(path, { timeout: busyTimeoutMs });
  } catch (error) {
    throw isNotBuilt(error) ? notBuilt(path, error) : error;
  }
}

/** Whether the package has no native module, or one for another Node. It is loaded with the first database. */
function isNotBuilt(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return code === 'ERR_DLOPEN_FAILED' || error.message.startsWith('Could not locate the bindings file');
}

function notBuilt(path: string, cause: unknown): LayerFileError {
  const problem = `cannot be opened: better-sqlite3 is not built for Node ${process.versions.node}; rebuild it with: npm rebuild better-sqlite3`;
  return new LayerFileError(path, problem, { cause });
}

/** Whether there are no tables yet. @throws LayerFileError when the file is not for us */
function isEmpty(db: Database, path: string): boolean {
  // In one transaction, as another process may be creating the tables just now.
  const { application, version, tables } = db.transaction(() => ({
    application: db.pragma('application_id', { simple: true }),
    version: db.pragma('user_version', { simple: true }),
    tables: db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get(),
  }))();
  if (application === 0 && version === 0 && tables === 0) return true;
  if (application !== applicationId)
    throw new LayerFileError(path, 'is the database of another program: choose another path');
  refuseOtherVersion(path, version);
  return false;
}

/** @throws LayerFileError for a file that another version of linod has made, or has changed meanwhile */
export function refuseOtherVersion(path: string, version: unknown): void {
  if (version === schemaVersion) return;
  throw new LayerFileError(
    path,
    `has schema version ${version}, but this version of linod knows only ${schemaVersion}: let all processes of the site run the same version, or stop them and delete the file`,
  );
}

function create(db: Database, path: string): void {
  // Has an effect only before the first page is written.
  db.pragma('auto_vacuum = INCREMENTAL');
  useWal(db, path);
  db.transaction(() => {
    // Another process may have been quicker.
    if (isEmpty(db, path)) db.exec(schema);
  }).immediate();
}

function useWal(db: Database, path: string): void {
  const mode = db.pragma('journal_mode = WAL', { simple: true });
  if (mode === 'wal') return;
  throw new LayerFileError(
    path,
    `cannot be shared: SQLite refused its WAL mode and stays in ${String(mode)}; is it on a network file system?`,
  );
}

/** A statement whose rows are the values of their first column. */
export function plucked<P extends unknown[], R>(
  statement: BetterSqlite3.Statement<P, R>,
): BetterSqlite3.Statement<P, R> {
  return statement.pluck();
}
