// The embedded database: one SQLite file in the site's directory.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryCompiler,
  type QueryResult,
  type SelectModifierNode,
  SqliteDialect,
  SqliteDriver,
  SqliteQueryCompiler,
} from 'kysely';
import type { Backend } from './backend.js';
import { StoreUnavailableError } from './errors.js';

/** How long a statement waits for another connection's write. Writes here are short; this is for a busy machine. */
const busyTimeoutMs = 10_000;
/** Statements that a connection keeps prepared; the daemon's own are some fifty. */
const maxStatements = 200;

/** A SQLite file as a site's database. */
export function sqliteBackend(path: string): Backend {
  const dialect = () => new FileDialect(new PatientConnection(open(path)));
  return {
    name: path,
    sharedDialect: dialect,
    ownDialect: dialect,
    time: null,
    follow: null,
    explain: (error) => error,
  };
}

/** Kysely's SQLite dialect over one connection. */
class FileDialect extends SqliteDialect {
  readonly #connection: PatientConnection;

  constructor(connection: PatientConnection) {
    super({ database: connection.database });
    this.#connection = connection;
  }

  override createDriver(): Driver {
    return new FileDriver(this.#connection);
  }

  override createQueryCompiler(): QueryCompiler {
    return new LocklessQueryCompiler();
  }
}

/** Leaves `for update` and its like out: a transaction here has the lock of the whole file from its begin. */
class LocklessQueryCompiler extends SqliteQueryCompiler {
  protected override visitSelectModifier(node: SelectModifierNode): void {
    if (node.modifier === 'Distinct' || node.modifier === undefined) super.visitSelectModifier(node);
  }
}

/**
 * Takes the write lock at the begin of a transaction. With SQLite's default a transaction that reads first and
 * writes then is refused at once (SQLITE_BUSY_SNAPSHOT), without waiting, when another process wrote in between.
 */
class FileDriver extends SqliteDriver {
  readonly #connection: PatientConnection;

  constructor(connection: PatientConnection) {
    super({ database: connection.database });
    this.#connection = connection;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    // There is one connection; the mutex of the base class hands it to one after the other.
    await super.acquireConnection();
    return this.#connection;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

/**
 * Waits for the lock outside the thread: SQLite's own busy time-out stops the event loop, for ever when the lock belongs
 * to another connection of this same process.
 */
class PatientConnection implements DatabaseConnection {
  readonly database: Sqlite.Database;
  readonly #statements = new Map<string, Sqlite.Statement<unknown[], unknown>>();

  constructor(database: Sqlite.Database) {
    this.database = database;
    database.pragma('synchronous = NORMAL');
    database.pragma('foreign_keys = ON');
    // SQLite's own default of 2 MiB; better-sqlite3 has 16, which a worker fills within minutes.
    database.pragma('cache_size = -2000');
    // With the first write after a checkpoint SQLite waits for the disk while it holds the write lock.
    database.pragma('wal_autocheckpoint = 4000');
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const giveUpAt = performance.now() + busyTimeoutMs;
    for (let delayMs = 1; ; delayMs = Math.min(delayMs * 2, 50)) {
      try {
        const statement = this.#prepare(sql);
        if (statement.reader) return { rows: statement.all(...parameters) as R[] };
        const { changes, lastInsertRowid } = statement.run(...parameters);
        return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUpAt) throw error;
      }
      await setTimeout(delayMs);
    }
  }

  async *streamQuery<R>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    // A statement of its own: one that is being read cannot be used for anything else.
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

/** @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`) when the file cannot be opened or is no database */
function open(path: string): Sqlite.Database {
  try {
    mkdirSync(dirname(path), { recursive: true });
    // No time-out of SQLite's own: see PatientConnection.
    const database = new Sqlite(path, { timeout: 0 });
    switchToWal(database);
    return database;
  } catch (error) {
    throw new StoreUnavailableError(path, error);
  }
}

/**
 * The switch takes an exclusive lock. When several processes open a new file at once, SQLite does not wait for it
 * whatever its time-out, as they might wait for one another. So this waits between the tries.
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

/** Whether another connection has the lock. */
function isBusy(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY');
}
