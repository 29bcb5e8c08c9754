// Opens the site's database and migrates it.

import { Kysely } from 'kysely';
import { type Clock, systemClock } from '../base/clock.js';
import type { Site } from '../site/site.js';
import type { Backend } from './backend.js';
import { StoreUnavailableError } from './errors.js';
import { type AnyTables, type MigrationSet, migrate } from './migrate.js';
import { migrationSets } from './migrations/index.js';
import type { Database } from './schema.js';
import { sqliteBackend } from './sqlite/backend.js';

export interface StoreOptions {
  /** Path of a SQLite file. Either this or `url`. */
  readonly path?: string;
  /** `sqlite:PATH` or `postgres://…`. */
  readonly url?: string;
  /** Default: linod's own and all registered ones. */
  readonly migrations?: readonly MigrationSet[];
  readonly clock?: Clock;
}

/** An open database with all migrations run. */
export interface Store {
  readonly db: Kysely<Database>;
  /** Opens a further connection for long work. The caller destroys it. */
  connect(): Kysely<Database>;
  /** Its name in messages. */
  readonly name: string;
  /** Whether this user may only read the file; writing then fails. */
  readonly isReadOnly: boolean;
  /** The migrations that ran when it was opened. */
  readonly migrated: readonly string[];
  /** Reads the database's clock, in ms since 1970; null to use this machine's. */
  readonly time: (() => Promise<number>) | null;
  /**
   * Notifies quickly about changes by other processes; null where the database cannot. The caller closes the
   * result.
   */
  readonly follow: Backend['follow'];
  /** Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Opens a site's database, or any other, and runs its migrations. Creates a missing SQLite file. The caller
 * closes the store.
 *
 * @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`), NewerDatabaseError (`LINOD_ERR_NEWER_DATABASE`),
 *   BadConfigError (`LINOD_ERR_BAD_CONFIG`) for a URL that cannot be read
 * @example
 * const store = await openStore(await loadSite('.'));
 * const other = await openStore({ url: 'postgres://ann@db.example.org/shop' });
 */
export async function openStore(of: Pick<Site, 'settings'> | StoreOptions): Promise<Store> {
  const options: StoreOptions = 'settings' in of ? { url: of.settings.databaseUrl } : of;
  const backend = await backendOf(options);
  const shared = new Kysely<AnyTables>({ dialect: backend.sharedDialect() });
  const connect = <DB>() => new Kysely<DB>({ dialect: backend.ownDialect() });
  const clock = options.clock ?? systemClock;
  const sets = options.migrations ?? migrationSets();
  try {
    const migrated = await migrate(shared, connect, sets, clock, backend.name);
    let closed: Promise<void> | undefined;
    const { time, follow } = backend;
    return {
      db: shared as unknown as Kysely<Database>,
      connect: () => connect<Database>(),
      name: backend.name,
      isReadOnly: backend.isReadOnly,
      migrated,
      time: time === null ? null : () => time(shared),
      follow,
      close: () => {
        closed ??= shared.destroy();
        return closed;
      },
    };
  } catch (error) {
    await shared.destroy();
    throw backend.explain(error);
  }
}

/**
 * Returns a function that connects to a database which a worker has already migrated.
 *
 * @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`), BadConfigError (`LINOD_ERR_BAD_CONFIG`)
 */
export async function connector(url: string): Promise<() => Kysely<Database>> {
  const backend = await backendOf({ url });
  return () => new Kysely<Database>({ dialect: backend.ownDialect() });
}

async function backendOf({ path, url }: StoreOptions): Promise<Backend> {
  if (url === undefined || url.startsWith('sqlite:')) {
    const file = url?.slice('sqlite:'.length) ?? path;
    if (file === undefined) throw new StoreUnavailableError('of the site', 'it has neither a path nor a URL');
    return sqliteBackend(file);
  }
  // Loads `pg` only when needed.
  const { postgresBackend } = await import('./postgres/backend.js');
  return postgresBackend(url);
}
