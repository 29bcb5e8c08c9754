// The site's database, opened and brought up to date.

import type { Kysely } from 'kysely';
import { type Clock, systemClock } from '../clock.js';
import { Kysely as KyselyClass } from './kysely.js';
import { type AnyTables, type MigrationSet, migrate } from './migrate.js';
import { migrationSets } from './migrations/index.js';
import type { Database } from './schema.js';
import { sqliteDialect } from './sqlite.js';

export interface StoreOptions {
  /** Path of the SQLite file. */
  readonly path: string;
  /** Default: linod's own and all that were registered. */
  readonly migrations?: readonly MigrationSet[];
  readonly clock?: Clock;
}

/** An open database with all migrations run. */
export interface Store {
  readonly db: Kysely<Database>;
  /** Opens a further connection, for work that may hold it for long. Whoever opens it destroys it. */
  connect(): Kysely<Database>;
  /** What it is called in messages. */
  readonly name: string;
  /** The migrations that opening it has run. */
  readonly migrated: readonly string[];
  /** Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Opens the database, creating it if it is missing, and runs its migrations.
 *
 * @throws StoreUnavailableError (`LINOD_ERR_STORE_UNAVAILABLE`), NewerDatabaseError (`LINOD_ERR_NEWER_DATABASE`)
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const untyped = new KyselyClass<AnyTables>({ dialect: sqliteDialect(options.path) });
  const db = untyped as unknown as Kysely<Database>;
  const clock = options.clock ?? systemClock;
  try {
    const migrated: string[] = [];
    for (const set of options.migrations ?? migrationSets()) {
      const ran = await migrate(untyped, set, clock, options.path);
      migrated.push(...ran.map((name) => `${set.owner} ${name}`));
    }
    let closed: Promise<void> | undefined;
    return {
      db,
      connect: () => new KyselyClass<Database>({ dialect: sqliteDialect(options.path) }),
      name: options.path,
      migrated,
      close: () => {
        closed ??= db.destroy();
        return closed;
      },
    };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}
