// The embedded database: one SQLite file in the site's directory.

import { setTimeout } from 'node:timers/promises';
import type {
  CompiledQuery as AnyQuery,
  DatabaseConnection,
  Driver,
  QueryCompiler,
  QueryResult,
  SelectModifierNode,
} from 'kysely';
import type { Backend, NewsCheck } from './backend.js';
import { CompiledQuery, SqliteDialect, SqliteDriver, SqliteQueryCompiler } from './kysely.js';
import { busyTimeoutMs, isBusy, type SqliteHandle, SqliteHandles } from './sqlite-handle.js';
import { WalFollower } from './wal-follower.js';

/** A SQLite file as a site's database. */
export function sqliteBackend(path: string): Backend {
  const handles = new SqliteHandles(path);
  let shared: SqliteHandle | undefined;
  return {
    name: path,
    sharedDialect() {
      shared = handles.take();
      return new ImmediateDialect(shared, (handle) => {
        handle.close();
        handles.close();
      });
    },
    ownDialect: () => new ImmediateDialect(handles.take(), (handle) => handles.giveBack(handle)),
    time: null,
    newsCheck: () => newsCheckOf(() => shared),
    follow: (options) => new WalFollower(path, shared, options),
    tells: ['rule_changes'],
    explain: (error) => error,
  };
}

function newsCheckOf(shared: () => SqliteHandle | undefined): NewsCheck {
  let seen: unknown;
  return () => {
    const before = seen;
    try {
      seen = shared()?.dataVersion;
    } catch {
      seen = undefined; // it is closed, or of a file that is beyond use: who looks then is told
    }
    return seen === undefined || seen !== before;
  };
}

let queryCompiler: LocklessQueryCompiler | undefined;

/** Kysely's SQLite dialect over one connection; `release` is called when it is not needed any more. */
class ImmediateDialect extends SqliteDialect {
  readonly #connection: PatientConnection;
  readonly #config: ConstructorParameters<typeof SqliteDriver>[0];

  constructor(handle: SqliteHandle, release: (handle: SqliteHandle) => void) {
    const connection = new PatientConnection(handle);
    const close = () => {
      if (connection.end()) release(handle);
    };
    const config = { database: { prepare: (sql: string) => handle.prepare(sql), close } };
    super(config);
    this.#connection = connection;
    this.#config = config;
  }

  override createDriver(): Driver {
    return new ImmediateDriver(this.#config, this.#connection);
  }

  override createQueryCompiler(): QueryCompiler {
    // Compiles one query after the other, at once. To make one takes longer than most queries.
    queryCompiler ??= new LocklessQueryCompiler();
    return queryCompiler;
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

  constructor(config: ConstructorParameters<typeof SqliteDriver>[0], connection: PatientConnection) {
    super(config);
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
  #handle: SqliteHandle | null;

  constructor(handle: SqliteHandle) {
    this.#handle = handle;
  }

  /** Whoever still has it can do nothing more with it. @returns false if that was so before */
  end(): boolean {
    const isFirst = this.#handle !== null;
    this.#handle = null;
    return isFirst;
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

  async *streamQuery<R>({ sql, parameters }: AnyQuery): AsyncIterableIterator<QueryResult<R>> {
    for (const row of this.#open.iterate(sql, parameters)) yield { rows: [row as R] };
  }

  #execute<R>({ sql, parameters }: AnyQuery): QueryResult<R> {
    const { rows, run } = this.#open.execute(sql, parameters);
    if (run === undefined) return { rows: rows as R[] };
    return { rows: [], numAffectedRows: BigInt(run.changes), insertId: BigInt(run.lastInsertRowid) };
  }

  get #open(): SqliteHandle {
    if (this.#handle === null) throw new Error('the database connection is closed');
    return this.#handle;
  }
}
