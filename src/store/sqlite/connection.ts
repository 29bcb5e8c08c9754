// A connection to a SQLite file.

import { statSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type Sqlite from 'better-sqlite3';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { StoreUnavailableError } from '../errors.js';
import { refuseNewer } from '../migrations/index.js';
import { busyTimeoutMs, explain, isBusy } from './failures.js';

/** The maximum number of prepared statements that a connection keeps. The daemon uses fewer. */
const maxStatements = 200;
/** How often at most an open file is compared with the file at its path. */
const checkEveryMs = 100;

/**
 * Waits for the lock without blocking the thread. SQLite's own busy timeout blocks the event loop, forever
 * if the lock belongs to another connection of the same process.
 */
export class RetryingConnection implements DatabaseConnection {
  readonly database: Sqlite.Database;
  readonly #path: string;
  readonly #identity: string;
  readonly #statements = new Map<string, Sqlite.Statement<unknown[], unknown>>();
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, database: Sqlite.Database) {
    this.#path = path;
    this.database = database;
    // Reading from the file also creates the files beside it.
    database.pragma('user_version');
    this.#identity = identify(path);
    database.pragma('synchronous = NORMAL');
    database.pragma('foreign_keys = ON');
    // SQLite's default of 2 MiB; better-sqlite3's 16 MiB cost a worker memory.
    database.pragma('cache_size = -2000');
    // Fewer checkpoints: after one, the next write waits for the disk while it holds the write lock.
    database.pragma('wal_autocheckpoint = 4000');
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const giveUpAt = performance.now() + busyTimeoutMs;
    for (let delayMs = 1; ; delayMs = Math.min(delayMs * 2, 50)) {
      try {
        this.#check();
        const statement = this.#prepare(sql);
        if (statement.reader) return { rows: statement.all(...parameters) as R[] };
        const { changes, lastInsertRowid } = statement.run(...parameters);
        return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUpAt) throw explain(this.#path, error);
      }
      await setTimeout(delayMs);
    }
  }

  /**
   * Detects a file that was deleted or replaced, and tables that a newer linod has changed. SQLite itself
   * would not notice.
   *
   * @throws StoreUnavailableError, NewerDatabaseError
   */
  #check(): void {
    // A copy in memory is read-only.
    if (this.database.memory) return;
    const now = performance.now();
    if (now - this.#checkedAt < checkEveryMs || this.database.inTransaction) return;
    if (identify(this.#path) !== this.#identity) {
      const why =
        'it was deleted or replaced while it was open; put it back, or restart all programs of the site';
      throw new StoreUnavailableError(this.#path, why, { happened: 'cannot use' });
    }
    refuseNewer(this.#path, Number(this.database.pragma('user_version', { simple: true })));
    // Set last, so that a refused database is checked again.
    this.#checkedAt = now;
  }

  async *streamQuery<R>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    // Prepares its own statement: one that is being read cannot be used for anything else.
    const rows = this.database.prepare<unknown[], unknown>(sql).iterate(...parameters);
    for (const row of rows) yield { rows: [row as R] };
  }

  #prepare(sql: string): Sqlite.Statement<unknown[], unknown> {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= maxStatements) this.#statements.clear();
    const statement = this.database.prepare<unknown[], unknown>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** The inodes of the database and of the files beside it. */
function identify(path: string): string {
  const files = [path, `${path}-wal`, `${path}-shm`];
  return files.map((name) => statSync(name, { throwIfNoEntry: false })?.ino).join(' ');
}
