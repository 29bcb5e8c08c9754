// The embedded database: one SQLite file in the site's directory.

import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
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
import { isAllowed, missingRight } from '../site/file-rights.js';
import type { Backend } from './backend.js';
import { StoreUnavailableError } from './errors.js';
import { refuseNewer } from './migrations/index.js';

/** How long a statement waits for another connection's write. Writes are short, but a machine may be busy. */
const busyTimeoutMs = 10_000;
/** The maximum number of prepared statements that a connection keeps. The daemon uses fewer. */
const maxStatements = 200;
/** How often at most an open file is compared with the file at its path. */
const checkEveryMs = 100;

/** A SQLite file as a site's database. */
export function sqliteBackend(path: string): Backend {
  const dialect = () => new FileDialect(new RetryingConnection(path, open(path)));
  return {
    name: path,
    isReadOnly: mayOnlyRead(path),
    sharedDialect: dialect,
    ownDialect: dialect,
    time: null,
    follow: null,
    explain: (error) => error,
  };
}

/** Kysely's SQLite dialect over one connection. */
class FileDialect extends SqliteDialect {
  readonly #connection: RetryingConnection;

  constructor(connection: RetryingConnection) {
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

/** Omits `for update` and the like: a transaction locks the whole file from its beginning. */
class LocklessQueryCompiler extends SqliteQueryCompiler {
  protected override visitSelectModifier(node: SelectModifierNode): void {
    if (node.modifier === 'Distinct' || node.modifier === undefined) super.visitSelectModifier(node);
  }
}

/**
 * Takes the write lock at the beginning of a transaction. By default, SQLite refuses a transaction that first
 * reads and then writes, without waiting, if another process wrote in between (SQLITE_BUSY_SNAPSHOT).
 */
class FileDriver extends SqliteDriver {
  readonly #connection: RetryingConnection;

  constructor(connection: RetryingConnection) {
    super({ database: connection.database });
    this.#connection = connection;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    // There is one connection; the mutex of the base class serialises its users.
    await super.acquireConnection();
    return this.#connection;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  /** After some errors, such as a full disk, SQLite has already rolled back. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#connection.database.inTransaction) await super.rollbackTransaction(connection);
  }
}

/**
 * Waits for the lock without blocking the thread. SQLite's own busy time-out blocks the event loop, forever
 * if the lock belongs to another connection of the same process.
 */
class RetryingConnection implements DatabaseConnection {
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

/**
 * @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`) when the file cannot be opened or is no database
 */
function open(path: string): Sqlite.Database {
  try {
    if (mayOnlyRead(path)) return openToRead(path);
    mkdirSync(dirname(path), { recursive: true });
    // Disables SQLite's own time-out: see RetryingConnection.
    const database = new Sqlite(path, { timeout: 0 });
    switchToWal(database);
    return database;
  } catch (error) {
    const cause = isNotBuilt(error) ? new Error(notBuilt, { cause: error }) : error;
    throw new StoreUnavailableError(path, rightsText(path) || cause);
  }
}

const rebuild = 'rebuild it with: npm rebuild better-sqlite3';
const notBuilt = `better-sqlite3 is not built for Node ${process.versions.node}; ${rebuild}`;

/** Whether the package has no native module, or one for another Node. The first database loads it. */
function isNotBuilt(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return code === 'ERR_DLOPEN_FAILED' || error.message.startsWith('Could not locate the bindings file');
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

/** The inodes of the database and of the files beside it. */
function identify(path: string): string {
  const files = [path, `${path}-wal`, `${path}-shm`];
  return files.map((name) => statSync(name, { throwIfNoEntry: false })?.ino).join(' ');
}

/** Adds advice to errors of the file system; returns others unchanged. */
function explain(path: string, error: unknown): unknown {
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

function mayOnlyRead(path: string): boolean {
  return existsSync(path) && !isAllowed(path, 'write');
}

/** Which file this user may not read or write, and who owns it; empty when there is none. */
function rightsText(path: string): string {
  const files = [path, `${path}-wal`, `${path}-shm`];
  return missingRight(files, 'read') || missingRight([...files, dirname(path)], 'write');
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

/** Whether another connection has the lock. */
function isBusy(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY');
}
