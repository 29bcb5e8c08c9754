// The native module of SQLite.

import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';

/**
 * Loaded at the first use: it takes 10 ms, and most runs in threads and processes, and sites on PostgreSQL, need none.
 *
 * @throws what Node says when the package is not built for this machine
 */
export function betterSqlite3(): typeof BetterSqlite3 {
  loaded ??= createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3;
  return loaded;
}

let loaded: typeof BetterSqlite3 | undefined;
