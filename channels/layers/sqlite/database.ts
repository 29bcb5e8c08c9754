// Opens the file of the embedded layer, creates its tables, and refuses files of other programs.

import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { LayerFileError } from './errors.js';

export type Database = BetterSqlite3.Database;

/** SQLite blocks this process at most this long while the file is locked. The layer itself tries longer. */
const busyTimeoutMs = 10;

/** Marks the file as a channel layer: "lnch". */
const applicationId = 0x6c6e6368;
const schemaVersion = 6;

// `message` is clustered by key and position, so that a send and a receive each touch one page. Positions
// count up within a key, and start again when its queue is empty. `lease` holds the leased messages; each
// lease has a new `token`. Times are in milliseconds since 1970.
const schema = `
  CREATE TABLE message (
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    channels TEXT,
    body BLOB NOT NULL,
    PRIMARY KEY (key, position)
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
 * Opens the file. Creates the file and its tables if they are missing.
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
    // A crashed process loses nothing. A power failure may lose the last messages, but does not damage the
    // file.
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
 * Opens the file for a user without write permission. Writes nothing and creates no file; a missing file
 * counts as empty.
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
  // No process has the file open, and this user cannot create SQLite's files beside it. So read a copy.
  const copy = readFileSync(path);
  // The header of the copy must not ask for a `-wal`. Source: sqlite.org/fileformat2.html, "File format
  // version numbers".
  copy.fill(1, 18, 20);
  return new Sqlite(copy, { readonly: true });
}

/** Whether this user cannot write or create the file. */
export function mayOnlyRead(path: string): boolean {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
    return false;
  } catch {
    return existsSync(dirname(path));
  }
}

/** The process that fills the `-wal` writes it back (16 MB) and waits for the disk. */
export const pagesPerCheckpoint = 4000;

export function checkpointEvery(db: Database, pages: number): void {
  db.pragma(`wal_autocheckpoint = ${pages}`);
}

/** Loaded on first use, so that sites on Redis need no native module. */
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

/** Whether the package has no native module for this Node. The first database loads it. */
function isNotBuilt(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return code === 'ERR_DLOPEN_FAILED' || error.message.startsWith('Could not locate the bindings file');
}

function notBuilt(path: string, cause: unknown): LayerFileError {
  const problem = `cannot be opened: better-sqlite3 is not built for Node ${process.versions.node}; rebuild it with: npm rebuild better-sqlite3`;
  return new LayerFileError(path, problem, { cause });
}

/** Whether the file has no tables yet. @throws LayerFileError when the file is not for us */
function isEmpty(db: Database, path: string): boolean {
  // In one transaction, since another process may create the tables at the same time.
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
  // Works only before the first page is written.
  db.pragma('auto_vacuum = INCREMENTAL');
  useWal(db, path);
  db.transaction(() => {
    // Another process may have created them first.
    if (isEmpty(db, path)) db.exec(schema);
  }).immediate();
}

function useWal(db: Database, path: string): void {
  const mode = db.pragma('journal_mode = WAL', { simple: true });
  if (mode === 'wal') {
    // The first read makes the files beside a copy that was in another mode, and the layer watches these.
    db.pragma('schema_version');
    return;
  }
  throw new LayerFileError(
    path,
    `cannot be shared: SQLite refused its WAL mode and stays in ${String(mode)}; is it on a network file system?`,
  );
}

/** Returns the first column of each row. */
export function plucked<P extends unknown[], R>(
  statement: BetterSqlite3.Statement<P, R>,
): BetterSqlite3.Statement<P, R> {
  return statement.pluck();
}
