// What goes wrong with a SQLite file, in words for the person who has to repair it.

import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { missingRight } from '../../base/files/file-rights.js';
import { StoreUnavailableError } from '../errors.js';

/** How long a statement waits for another connection's write. Writes are short, but a machine may be busy. */
export const busyTimeoutMs = 10_000;

/** Adds advice to errors of the file system; returns others unchanged. */
export function explain(path: string, error: unknown): unknown {
  if (!(error instanceof Sqlite.SqliteError)) return error;
  if (isBusy(error)) {
    const why = `another program has kept it locked for ${busyTimeoutMs / 1000} s`;
    return new StoreUnavailableError(path, why, { happened: 'cannot use', passes: true });
  }
  if (/^SQLITE_(CANTOPEN|PERM|READONLY)/.test(error.code)) {
    const why = rightsText(path);
    if (why !== '') return new StoreUnavailableError(path, why, { happened: 'cannot use' });
  }
  const isFull = error.code === 'SQLITE_FULL';
  if (!isFull && !/^SQLITE_(CANTOPEN|CORRUPT|IOERR|NOTADB|READONLY)/.test(error.code)) return error;
  return new StoreUnavailableError(path, error, { happened: 'cannot use', passes: isFull });
}

/** Which file this user may not read or write, and who owns it; empty when there is none. */
export function rightsText(path: string): string {
  const files = [path, `${path}-wal`, `${path}-shm`];
  return missingRight(files, 'read') || missingRight([...files, dirname(path)], 'write');
}

const rebuild = 'rebuild it with: npm rebuild better-sqlite3';
export const notBuilt = `better-sqlite3 is not built for Node ${process.versions.node}; ${rebuild}`;

/** Whether the package has no native module, or one for another Node. The first database loads it. */
export function isNotBuilt(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return code === 'ERR_DLOPEN_FAILED' || error.message.startsWith('Could not locate the bindings file');
}

/** Whether another connection has the lock. */
export function isBusy(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY');
}
