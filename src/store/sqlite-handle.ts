// An open SQLite file, with its statements kept prepared; and how one is used again by the next who needs one.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { betterSqlite3 } from './better-sqlite3.js';
import { StoreUnavailableError } from './errors.js';

/** How long a statement waits for another connection's write. Writes here are short; this is for a busy machine. */
export const busyTimeoutMs = 10_000;

/** So many statements are kept prepared; the daemon's own are some fifty. */
const maxStatements = 200;

/** So many wait to be used again; each has some 100 kB. */
const maxSpare = 2;

/** What leaves nothing behind on a connection but what it wrote: no settings, no temporary tables, no other files. */
const leavesNothing =
  /^\s*(select|insert|update|delete|replace|with|begin|commit|rollback|savepoint|release)\b/i;

type Statement = BetterSqlite3.Statement<unknown[], unknown>;

/** A connection of SQLite. Keeping its statements prepared halves what a query costs. */
export class SqliteHandle {
  readonly #database: BetterSqlite3.Database;
  readonly #statements = new Map<string, Statement>();
  #writes = 0;
  #iterations = 0;
  #isPlain = true;
  #version: BetterSqlite3.Statement<unknown[], unknown> | undefined;

  /** @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`) when the file cannot be opened or is no database */
  constructor(path: string) {
    this.#database = open(path);
  }

  /** How many statements have written, or ended a transaction that may have. */
  get writes(): number {
    return this.#writes;
  }

  /** Another number when another connection, of whatever process, has written since. */
  get dataVersion(): unknown {
    // Not one of the others: it is asked after each write, and changes nothing on the connection.
    this.#version ??= this.#database.prepare<unknown[], unknown>('pragma data_version').pluck();
    return this.#version.get();
  }

  /** Whether somebody else may go on with it: it is as it was when it was opened. */
  get isClean(): boolean {
    return this.#isPlain && this.#iterations === 0 && this.#database.open && !this.#database.inTransaction;
  }

  /** @throws what SQLite says, SQLITE_BUSY at once when another connection has the lock */
  execute(sql: string, parameters: readonly unknown[]): { rows: unknown[]; run?: BetterSqlite3.RunResult } {
    const statement = this.prepare(sql);
    if (!statement.reader || !statement.readonly) this.#writes++;
    if (statement.reader) return { rows: statement.all(...parameters) };
    return { rows: [], run: statement.run(...parameters) };
  }

  /** A statement of its own: one that is being read cannot be used for anything else. */
  *iterate(sql: string, parameters: readonly unknown[]): IterableIterator<unknown> {
    this.#note(sql);
    this.#iterations++;
    yield* this.#database.prepare<unknown[], unknown>(sql).iterate(...parameters);
    this.#iterations--;
  }

  prepare(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    this.#note(sql);
    const statement = this.#database.prepare<unknown[], unknown>(sql);
    const [oldest] = this.#statements.keys();
    if (this.#statements.size >= maxStatements && oldest !== undefined) this.#statements.delete(oldest);
    this.#statements.set(sql, statement);
    return statement;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #note(sql: string): void {
    if (!leavesNothing.test(sql)) this.#isPlain = false;
  }
}

/**
 * The connections to one file. One that is given back clean waits for the next who needs one: to open it, to read the
 * schema and to prepare its statements takes longer than most runs of procedures.
 */
export class SqliteHandles {
  readonly #path: string;
  readonly #spare: SqliteHandle[] = [];
  #isClosed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`) when the file cannot be opened or is no database */
  take(): SqliteHandle {
    return this.#spare.pop() ?? new SqliteHandle(this.#path);
  }

  giveBack(handle: SqliteHandle): void {
    if (this.#isClosed || this.#spare.length >= maxSpare || !handle.isClean) handle.close();
    else this.#spare.push(handle);
  }

  /** Closes what waits, and from now on what is given back. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    for (const handle of this.#spare.splice(0)) handle.close();
  }
}

function open(path: string): BetterSqlite3.Database {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const Database = betterSqlite3();
    const database = new Database(path, { timeout: busyTimeoutMs });
    switchToWal(database);
    database.pragma('synchronous = NORMAL');
    database.pragma('foreign_keys = ON');
    // SQLite's own default, of 2 MiB. better-sqlite3 has 16, which a worker fills within minutes: its history grows, and each page
    // that it wrote stays. What is not there is mostly in the system's cache.
    database.pragma('cache_size = -2000');
    // With the first write after a checkpoint, SQLite waits for the disk while it holds the write lock. With its default of
    // 1000 pages that is so several times a second where much is written.
    database.pragma('wal_autocheckpoint = 4000');
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

/** Whether another connection has the lock. */
export function isBusy(error: unknown): boolean {
  return error instanceof betterSqlite3().SqliteError && error.code.startsWith('SQLITE_BUSY');
}
