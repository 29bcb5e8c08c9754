// Opens a SQLite file, to write or, where this user may not, to read.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { isAllowed } from '../../base/files/file-rights.js';
import { StoreUnavailableError } from '../errors.js';
import { busyTimeoutMs, isBusy, isNotBuilt, notBuilt, rightsText } from './failures.js';

/**
 * @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`) when the file cannot be opened or is no database
 */
export function openFile(path: string): Sqlite.Database {
  try {
    if (mayOnlyRead(path)) return openToRead(path);
    mkdirSync(dirname(path), { recursive: true });
    // Disables SQLite's own timeout: see RetryingConnection.
    const database = new Sqlite(path, { timeout: 0 });
    switchToWal(database);
    return database;
  } catch (error) {
    const cause = isNotBuilt(error) ? new Error(notBuilt, { cause: error }) : error;
    throw new StoreUnavailableError(path, rightsText(path) || cause);
  }
}

export function mayOnlyRead(path: string): boolean {
  return existsSync(path) && !isAllowed(path, 'write');
}

/**
 * Switches to WAL, which takes an exclusive lock. When several processes open a new file at once, SQLite
 * refuses instead of waiting, to avoid deadlocks. So this retries after a random pause.
 */
function switchToWal(database: Sqlite.Database): void {
  const giveUpAt = performance.now() + busyTimeoutMs;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      if (database.pragma('journal_mode', { simple: true }) !== 'wal') database.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt) throw error;
    }
    Atomics.wait(sleeper, 0, 0, 1 + Math.random() * 10);
  }
}

function openToRead(path: string): Sqlite.Database {
  const database = new Sqlite(path, { readonly: true, timeout: 0 });
  try {
    database.pragma('schema_version');
    return database;
  } catch (error) {
    database.close();
    if (existsSync(`${path}-wal`)) throw error;
  }
  // Nobody has the file open, and this user cannot create the shared files beside it. A copy in memory has
  // the same content.
  const copy = readFileSync(path);
  // The header says that the file needs those files. Source: sqlite.org/fileformat2.html, "File format
  // version numbers".
  copy.fill(1, 18, 20);
  return new Sqlite(copy, { readonly: true });
}
