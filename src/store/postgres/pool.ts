// Connections to PostgreSQL, as Kysely's driver wants them.

import { setTimeout } from 'node:timers/promises';
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import pg from 'pg';
import { version } from '../../base/version.js';
import { versionOf } from '../migrate.js';
import { ownMigrations, refuseNewer } from '../migrations/index.js';
import { cannotConnect, connectionLost, isConnectionFailure } from './failures.js';
import type { Target } from './target.js';

export interface Limits {
  /** The maximum number of connections. The pool opens them on demand, and closes them when idle for 10 s. */
  readonly connections: number;
  /**
   * Whether the server ends slow statements, long waits for a lock, and idle transactions. A suspended
   * process must not block all others with its locks.
   */
  readonly timed: boolean;
}

/** How often at most a pool checks for a newer linod's migrations. */
const checkEveryMs = 1000;
const newestMigration = 'select max(name) as name from linod_migrations where owner = $1';
const connectTimeoutMs = 10_000;
const timeouts = {
  lock_timeout: 10_000,
  statement_timeout: 15_000,
  idle_in_transaction_session_timeout: 15_000,
  // A server that does not even report a statement timeout counts as gone.
  query_timeout: 20_000,
};
const endTimeoutMs = 2000;

/** The settings of every connection. */
export function connectionConfig({ config }: Target, what: string): pg.ClientConfig {
  return {
    ...config,
    application_name: config.application_name ?? `linod ${version} ${what}`,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    types: { getTypeParser },
  };
}

/** Parses 64-bit integers as numbers: ids, and times in ms, are far below 2^53. `pg` parses the rest. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): unknown {
  if (oid === pg.types.builtins.INT8) return Number;
  return pg.types.getTypeParser(oid, format);
}

/** A few connections to one database. Turns errors of `pg` into errors that name the database. */
export class GuardedPool implements PostgresPool {
  readonly #target: Target;
  readonly #pool: pg.Pool;
  readonly #used = new Set<GuardedClient>();
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(target: Target, { connections, timed }: Limits, what: string) {
    this.#target = target;
    this.#pool = new pg.Pool({
      ...connectionConfig(target, what),
      ...(timed ? timeouts : {}),
      max: connections,
      // An open database does not keep the process alive, as with a file.
      allowExitOnIdle: true,
    });
    // The pool replaces an idle connection that is lost. A statement on a lost connection fails.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /**
   * @throws NewerDatabaseError (`LINOD_ERR_NEWER_DATABASE`) also when a newer linod has upgraded the database
   */
  async connect(): Promise<PostgresPoolClient> {
    const used = await this.#connect();
    try {
      await this.#check(used);
      return used;
    } catch (error) {
      used.release();
      throw error;
    }
  }

  async #connect(): Promise<GuardedClient> {
    try {
      const client = await this.#pool.connect();
      const used = new GuardedClient(client, this.#target, () => this.#used.delete(used));
      this.#used.add(used);
      return used;
    } catch (error) {
      throw cannotConnect(this.#target, error);
    }
  }

  async #check(client: GuardedClient): Promise<void> {
    const now = performance.now();
    if (now - this.#checkedAt < checkEveryMs) return;
    try {
      const { rows } = await client.query<{ name: string | null }>(newestMigration, [ownMigrations.owner]);
      refuseNewer(this.#target.name, versionOf({ name: rows[0]?.name ?? '0' }));
    } catch (error) {
      // A new database has no tables yet.
      if (!(error instanceof pg.DatabaseError && error.code === '42P01')) throw error;
    }
    // Set last, so that a refused database is checked again.
    this.#checkedAt = now;
  }

  /** Also ends connections in use: a job that was abandoned would never release its own. */
  async end(): Promise<void> {
    const ended = this.#pool.end();
    for (const client of this.#used) client.terminate();
    // A server that is silently gone does not confirm the end.
    await Promise.race([ended, setTimeout(endTimeoutMs, undefined, { ref: false })]);
  }
}

/** After a failure the connection is unusable: its statements fail at once, and the pool closes it. */
class GuardedClient implements PostgresPoolClient {
  readonly #client: pg.PoolClient;
  readonly #target: Target;
  readonly #onRelease: () => void;
  #failure: unknown;
  #isReleased = false;

  constructor(client: pg.PoolClient, target: Target, onRelease: () => void) {
    this.#client = client;
    this.#target = target;
    this.#onRelease = onRelease;
  }

  query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  query<R>(
    query: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof query === 'string') return this.#execute(query, parameters);
    // Kysely's type covers a part of the cursor; `pg-cursor` made the object.
    return this.#client.query(query as PostgresCursor<R> & pg.Submittable);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#onRelease();
    this.#client.release(this.#failure !== undefined);
  }

  /** Ends the connection while it is in use. */
  terminate(): void {
    this.#failure ??= connectionLost(this.#target, new Error('it was closed while in use'));
    this.release();
  }

  async #execute<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      const result = await this.#client.query<R & pg.QueryResultRow>(text, parameters.map(sendable));
      // Kysely reads the count only of statements that have one.
      return { ...result, rowCount: result.rowCount ?? 0 } as PostgresQueryResult<R>;
    } catch (error) {
      if (!isConnectionFailure(error)) throw error;
      this.#failure = connectionLost(this.#target, error);
      throw this.#failure;
    }
  }
}

/** Replaces the character 0, which PostgreSQL's text cannot hold and which jobs may log. */
function sendable(value: unknown): unknown {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value;
}
