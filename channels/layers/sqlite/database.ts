// Opens the file of the embedded layer: its settings, its tables, and whether it is ours at all.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { LayerFileError } from './errors.js';

export type Database = BetterSqlite3.Database;

/** How long SQLite may block this process while it is opened; later the layer has a patience of its own. */
const openTimeoutMs = 10;

/** Marks the file as a channel layer's, so that no other database is taken for one. ("lnch") */
const applicationId = 0x6c6e6368;
const schemaVersion = 4;

// One b-tree for the messages: clustered by key and place in the queue, so that a send and a receive each touch one
// page, and a queue's length is the difference of its two ends. A row is a parcel: one message, or several that were
// sent together; parcel.ts tells what `sizes` and `body` hold. `place` is that of its last message, `count` how many of
// its last messages are still there, so the first of them is at `place - count + 1`. Places count up within a key, and
// begin anew when the queue was empty. Instants are in ms since 1970.
const parcelSchema = `
  CREATE TABLE parcel (
    key TEXT NOT NULL,
    place INTEGER NOT NULL,
    count INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    channels TEXT,
    sizes BLOB,
    body BLOB NOT NULL,
    PRIMARY KEY (key, place)
  ) WITHOUT ROWID;
`;

const membershipSchema = `
  CREATE TABLE membership (
    group_name TEXT NOT NULL,
    channel TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (group_name, channel)
  ) WITHOUT ROWID;
  CREATE INDEX membership_by_expiry ON membership (expires_at);
  PRAGMA application_id = ${applicationId};
`;

// Messages that were handed out and are not acknowledged. `token` is another one each time that happens.
const leaseSchema = `
  CREATE TABLE lease (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    ends_at INTEGER NOT NULL,
    token INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    body BLOB NOT NULL
  );
  CREATE INDEX lease_by_end ON lease (key, ends_at);
`;

/** What brings a file of an older version up to the next one. */
const upgrades: ReadonlyMap<unknown, string> = new Map([
  [1, `${leaseSchema} PRAGMA user_version = 2;`],
  [
    2,
    // Under another name, so that a process of the version before, which has the file open, fails with an error
    // instead of reading a parcel as one message.
    `${parcelSchema}
    INSERT INTO parcel (key, place, count, expires_at, channels, body)
      SELECT key, id, 1, expires_at, channels, body FROM message;
    DROP TABLE message;
    PRAGMA user_version = 3;`,
  ],
  [3, `PRAGMA user_version = 4;`],
]);

/**
 * Opens the file, creating it and its tables where they are missing.
 *
 * @throws LayerFileError for a file that is another program's or a newer version's; what SQLite throws
 */
export function openDatabase(path: string): Database {
  if (!existsSync(dirname(path))) {
    const sqliteCode = 'SQLITE_CANTOPEN';
    throw new LayerFileError(path, 'lies in a directory that does not exist', { sqliteCode });
  }
  const Sqlite = loadSqlite(path);
  const db = new Sqlite(path, { timeout: openTimeoutMs });
  try {
    if (versionOf(db, path) === 'none') create(db, path);
    configure(db, path);
    if (versionOf(db, path) === 'old') upgrade(db, path);
    db.pragma('busy_timeout = 0');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Loaded at the first use, so that a site on Redis needs no native module. */
function loadSqlite(path: string): typeof BetterSqlite3 {
  try {
    return createRequire(import.meta.url)('better-sqlite3');
  } catch (cause) {
    throw new LayerFileError(
      path,
      'needs the package better-sqlite3, which cannot be loaded; try `npm rebuild better-sqlite3`',
      { cause },
    );
  }
}

/** Which tables are there. @throws LayerFileError when the file is not for us */
function versionOf(db: Database, path: string): 'none' | 'old' | 'present' {
  const { application, version, tables } = identify(db);
  if (application === applicationId) {
    if (version === schemaVersion) return 'present';
    if (upgrades.has(version)) return 'old';
    throw new LayerFileError(
      path,
      `has schema version ${version}, but this version of linod knows only ${schemaVersion}: let all processes of the site run the same version`,
    );
  }
  if (application === 0 && version === 0 && tables === 0) return 'none';
  throw new LayerFileError(path, 'is the database of another program: choose another path');
}

/** In one transaction, as another process may be creating the tables just now. */
function identify(db: Database): { application: unknown; version: unknown; tables: unknown } {
  return db.transaction(() => ({
    application: db.pragma('application_id', { simple: true }),
    version: db.pragma('user_version', { simple: true }),
    tables: db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get(),
  }))();
}

function create(db: Database, path: string): void {
  // Has an effect only before the first page is written.
  db.pragma('auto_vacuum = INCREMENTAL');
  useWal(db, path);
  db.transaction(() => {
    // Another process may have been quicker.
    if (versionOf(db, path) === 'none')
      db.exec(`${parcelSchema + membershipSchema + leaseSchema} PRAGMA user_version = ${schemaVersion};`);
  }).immediate();
}

function upgrade(db: Database, path: string): void {
  db.transaction(() => {
    while (versionOf(db, path) === 'old') {
      const { version } = identify(db);
      db.exec(upgrades.get(version) ?? '');
    }
  }).immediate();
}

function configure(db: Database, path: string): void {
  useWal(db, path);
  // Safe against crashes of processes; a power cut may take the last messages, never the file.
  db.pragma('synchronous = NORMAL');
  // Whoever makes it full writes 16 MB back and waits for the disk: the larger, the seldomer.
  db.pragma('wal_autocheckpoint = 4000');
  db.pragma('journal_size_limit = 16777216');
  db.pragma('temp_store = MEMORY');
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

/** A statement whose rows are lists of their columns. */
export function listed<P extends unknown[], R extends unknown[]>(
  statement: BetterSqlite3.Statement<P, R>,
): BetterSqlite3.Statement<P, R> {
  return statement.raw();
}
