// The native module of SQLite.

import type BetterSqlite3 from 'better-sqlite3';
import { requireLate } from '../require-late.js';

/**
 * Loaded at the first use: it takes 10 ms, and most runs in threads and processes, and sites on PostgreSQL, need none.
 *
 * @throws what Node says when the package is not built for this machine
 */
export function betterSqlite3(): typeof BetterSqlite3 {
  loaded ??= requireLate('better-sqlite3') as typeof BetterSqlite3;
  return loaded;
}

let loaded: typeof BetterSqlite3 | undefined;
