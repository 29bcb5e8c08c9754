// Brings a database to the version that this program knows, one numbered step at a time.
//
// Kysely's own migrator is not used: on SQLite it runs without a transaction, so that a process killed in the
// middle would leave half a migration.

import type { Kysely } from 'kysely';
import type { Clock } from '../clock.js';
import { LinodError } from '../errors.js';
import { hasTable, lock } from './dialect.js';
import { transact } from './transact.js';

export interface Migration {
  /** Number and name, `0001-tables`; steps run in the order of these. */
  readonly name: string;
  /** Runs inside one transaction with the note that it has run. */
  up(db: Kysely<AnyTables>): Promise<void>;
}

/** The migrations of one owner: `linod` itself, or a module that brings its own tables. */
export interface MigrationSet {
  readonly owner: string;
  readonly migrations: readonly Migration[];
}

/** Tables that this program has no types for: migrations work on what is not there yet. */
export type AnyTables = Record<string, Record<string, unknown>>;

/** The database was made by another linod, newer or from before the first release, which this one would damage. */
export class NewerDatabaseError extends LinodError {
  constructor(database: string, owner: string, unknown: readonly string[]) {
    super(
      'LINOD_ERR_NEWER_DATABASE',
      `database ${database} has migrations of ${owner} that this version does not know: ${unknown.join(', ')}; a newer version made it, or one from before the first release: update ${owner}, or name another database`,
    );
  }
}

/**
 * Whether a database has all migrations of a set.
 *
 * @param database its name for messages
 * @throws NewerDatabaseError (`LINOD_ERR_NEWER_DATABASE`) when it has others, too
 */
export async function isUpToDate(
  db: Kysely<AnyTables>,
  { owner, migrations }: MigrationSet,
  database: string,
): Promise<boolean> {
  const done = await ranBefore(db, owner);
  const unknown = done.filter((name) => !migrations.some((migration) => migration.name === name));
  if (unknown.length > 0) throw new NewerDatabaseError(database, owner, unknown);
  return done.length === migrations.length;
}

/**
 * Runs the migrations of a set that the database does not have yet.
 *
 * Safe to call from several processes at once: each step waits for the others before it looks.
 * @returns the names of those that ran
 */
export async function migrate(
  db: Kysely<AnyTables>,
  { owner, migrations }: MigrationSet,
  clock: Pick<Clock, 'now'>,
): Promise<string[]> {
  const ran: string[] = [];
  for (const migration of [...migrations].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const didRun = await transact(db, async (tx) => {
      await lock(tx, 'migrations');
      if ((await ranBefore(tx, owner)).includes(migration.name)) return false;
      await createTable(tx);
      await migration.up(tx);
      await tx
        .insertInto('linod_migrations')
        .values({ owner, name: migration.name, ran_at: clock.now() })
        .execute();
      return true;
    });
    if (didRun) ran.push(migration.name);
  }
  return ran;
}

async function ranBefore(db: Kysely<AnyTables>, owner: string): Promise<string[]> {
  if (!(await hasTable(db, 'linod_migrations'))) return [];
  const rows = await db
    .selectFrom('linod_migrations')
    .select('name')
    .where('owner', '=', owner)
    .orderBy('name')
    .execute();
  return rows.map((row) => String(row.name));
}

async function createTable(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('linod_migrations')
    .ifNotExists()
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('ran_at', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('linod_migrations_key', ['owner', 'name'])
    .execute();
}
