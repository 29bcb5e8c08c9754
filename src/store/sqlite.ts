// The embedded database: one SQLite file in the site's directory.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import BetterSqlite3 from 'better-sqlite3';
import type {
  CompiledQuery as AnyQuery,
  DatabaseConnection,
  Dialect,
  Driver,
  QueryCompiler,
  QueryResult,
  SelectModifierNode,
} from 'kysely';
import type { Backend } from './backend.js';
import { StoreUnavailableError } from './errors.js';
import { CompiledQuery, SqliteDialect, SqliteDriver, SqliteQueryCompiler } from './kysely.js';
import { WalFollower } from './wal-follower.js';

/** How long a statement waits for another connection's write. Writes here are short; this is for a busy machine. */
const busyTimeoutMs = 10_000;

/** A SQLite file as a site's database. */
export function sqliteBackend(path: string): Backend {
  const dialect = () => sqliteDialect(path);
  return {
    name: path,
    sharedDialect: dialect,
    ownDialect: dialect,
    time: null,
    follow: (options) => new WalFollower(path, options),
    tells: ['rule_changes'],
    explain: (error) => error,
  };
}

/**
 * Kysely's SQLite dialect over one file, in WAL mode.
 *
 * @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`) when the file cannot be opened or is no database
 */
function sqliteDialect(path: string): Dialect {
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
class ImmediateDriver extends SqliteDriver {
  readonly #connection: PatientConnection;

  constructor(config: { database: BetterSqlite3.Database }) {
    super(config);
    this.#connection = new PatientConnection(config.database);
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

/** So many statements are kept prepared; the daemon's own are some fifty. */
const maxStatements = 200;

/**
 * Keeps statements prepared, which halves what a query costs, and waits for the lock outside the thread: SQLite's own
 * busy time-out stops the event loop, for ever when the lock belongs to another connection of this same process.
 */
class PatientConnection implements DatabaseConnection {
  readonly #database: BetterSqlite3.Database;
  readonly #statements = new Map<string, BetterSqlite3.Statement<unknown[], unknown>>();

  constructor(database: BetterSqlite3.Database) {
    this.#database = database;
  }

  async executeQuery<R>(query: AnyQuery): Promise<QueryResult<R>> {
    const giveUpAt = performance.now() + busyTimeoutMs;
    for (let delayMs = 1; ; delayMs = Math.min(delayMs * 2, 50)) {
      try {
        return this.#execute<R>(query);
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUpAt) throw error;
      }
      await setTimeout(delayMs);
    }
  }

  async *streamQuery<R>(query: AnyQuery): AsyncIterableIterator<QueryResult<R>> {
    // A statement of its own: one that is being read cannot be used for anything else.
    for (const row of this.#database.prepare(query.sql).iterate(...query.parameters))
      yield { rows: [row as R] };
  }

  #execute<R>({ sql, parameters }: AnyQuery): QueryResult<R> {
    const statement = this.#prepare(sql);
    if (statement.reader) return { rows: statement.all(...parameters) as R[] };
    const { changes, lastInsertRowid } = statement.run(...parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  #prepare(sql: string): BetterSqlite3.Statement<unknown[], unknown> {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare<unknown[], unknown>(sql);
    const [oldest] = this.#statements.keys();
    if (this.#statements.size >= maxStatements && oldest !== undefined) this.#statements.delete(oldest);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof BetterSqlite3.SqliteError && error.code.startsWith('SQLITE_BUSY');
}
