// The embedded database: one SQLite file in the site's directory.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import BetterSqlite3 from 'better-sqlite3';
import type { CompiledQuery as AnyQuery, DatabaseConnection, Dialect, Driver, QueryResult } from 'kysely';
import { StoreUnavailableError } from './errors.js';
import { CompiledQuery, SqliteDialect, SqliteDriver } from './kysely.js';

/** How long a statement waits for another connection's write. Writes here are short; this is for a busy machine. */
const busyTimeoutMs = 10_000;

/**
 * Kysely's SQLite dialect over one file, in WAL mode.
 *
 * @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`) when the file cannot be opened or is no database
 */
export function sqliteDialect(path: string): Dialect {
  const database = open(path);
  return new ImmediateDialect({ database });
}

function open(path: string): BetterSqlite3.Database {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const database = new BetterSqlite3(path, { timeout: busyTimeoutMs });
    switchToWal(database);
    database.pragma('synchronous = NORMAL');
    database.pragma('foreign_keys = ON');
    // From here on it is waited outside SQLite: see PatientConnection.
    database.pragma('busy_timeout = 0');
    return database;
  } catch (error) {
    throw new StoreUnavailableError(path, error);
  }
}

/**
 * The switch takes an exclusive lock. When several processes open a new file at once, SQLite does not wait for it
 * whatever its time-out, as they might wait for one another. So this waits between the tries, and does without the
 * lock on a file that is in WAL mode already.
 */
function switchToWal(database: BetterSqlite3.Database): void {
  const giveUpAt = performance.now() + busyTimeoutMs;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      if (database.pragma('journal_mode', { simple: true }) === 'wal') return;
      database.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt) throw error;
    }
    Atomics.wait(sleeper, 0, 0, 1 + Math.random() * 10);
  }
}

class ImmediateDialect extends SqliteDialect {
  readonly #config: { database: BetterSqlite3.Database };

  constructor(config: { database: BetterSqlite3.Database }) {
    super(config);
    this.#config = config;
  }

  override createDriver(): Driver {
    return new ImmediateDriver(this.#config);
  }
}

/**
 * Takes the write lock at the begin of a transaction. With SQLite's default a transaction that reads first and
 * writes then is refused at once (SQLITE_BUSY_SNAPSHOT), without waiting, when another process wrote in between.
 */
class ImmediateDriver extends SqliteDriver {
  readonly #patient = new WeakMap<DatabaseConnection, PatientConnection>();

  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection();
    const patient = this.#patient.get(connection) ?? new PatientConnection(connection);
    this.#patient.set(connection, patient);
    return patient;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

/**
 * Waits for the lock outside the thread. SQLite's own busy time-out stops the event loop, for ever when the lock
 * belongs to another connection of this same process.
 */
class PatientConnection implements DatabaseConnection {
  readonly #connection: DatabaseConnection;

  constructor(connection: DatabaseConnection) {
    this.#connection = connection;
  }

  async executeQuery<R>(query: AnyQuery): Promise<QueryResult<R>> {
    const giveUpAt = performance.now() + busyTimeoutMs;
    for (let delayMs = 1; ; delayMs = Math.min(delayMs * 2, 50)) {
      try {
        return await this.#connection.executeQuery<R>(query);
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUpAt) throw error;
      }
      await setTimeout(delayMs);
    }
  }

  streamQuery<R>(query: AnyQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.#connection.streamQuery(query, chunkSize);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof BetterSqlite3.SqliteError && error.code.startsWith('SQLITE_BUSY');
}
