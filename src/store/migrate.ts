// Migrates a database to the version that this program knows, one numbered step at a time.
//
// Kysely's own migrator runs without a transaction on SQLite: a process killed in the middle would leave half
// a migration.

import type { Kysely } from 'kysely';
import type { Clock } from '../base/clock.js';
import { LinodError } from '../base/errors.js';
import { hasTable, lock, writeVersion } from './dialect.js';
import { transact } from './transact.js';

export interface Migration {
  /** Number and name, `0001-tables`; migrations run in this order. */
  readonly name: string;
  /** Runs in one transaction together with the record that it has run. */
  up(db: Kysely<AnyTables>): Promise<void>;
}

/** The migrations of one owner: `linod` itself, or a module with its own tables. */
export interface MigrationSet {
  readonly owner: string;
  readonly migrations: readonly Migration[];
}

/** Untyped tables: a migration works on tables that do not exist yet. */
export type AnyTables = Record<string, Record<string, unknown>>;

/** The number in the name of a migration. */
export function versionOf({ name }: Pick<Migration, 'name'>): number {
  return Number.parseInt(name, 10);
}

/**
 * A different version created the database, newer or from before the first release. This one would damage it.
 */
export class NewerDatabaseError extends LinodError {
  constructor(database: string, owner: string, unknown: ReadonlyArray<{ readonly name: string }>) {
    const names = unknown.map(({ name }) => name).join(', ');
    super(
      'LINOD_ERR_NEWER_DATABASE',
      `database ${database} has unknown migrations of ${owner}: ${names}; a newer version created it, ` +
        `or one from before the first release: update ${owner} and restart its programs, or use another database`,
    );
  }
}

/**
 * Runs the migrations that a database lacks. Several processes may call it at once.
 *
 * @param connect opens a connection without the timeouts of the shared one, since a migration may take long
 * @param database its name in messages
 * @returns the migrations that ran, each with its owner in front
 * @throws NewerDatabaseError (`LINOD_ERR_NEWER_DATABASE`) when the database has unknown ones
 */
export async function migrate(
  shared: Kysely<AnyTables>,
  connect: () => Kysely<AnyTables>,
  sets: readonly MigrationSet[],
  clock: Pick<Clock, 'now'>,
  database: string,
): Promise<string[]> {
  const before = await ranBefore(shared);
  for (const { owner, migrations } of sets) {
    const known = new Set(migrations.map(({ name }) => name));
    const unknown = before.filter((row) => row.owner === owner && !known.has(row.name));
    if (unknown.length > 0) throw new NewerDatabaseError(database, owner, unknown);
  }
  const steps = sets.flatMap(({ owner, migrations }) =>
    [...migrations]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((migration) => ({ owner, name: migration.name, migration })),
  );
  const waiting = steps.filter((step) => !before.some((row) => isOf(row, step)));
  if (waiting.length === 0) return [];
  const own = connect();
  try {
    const ran: string[] = [];
    for (const step of waiting) {
      if (await runOnce(own, step, clock)) ran.push(`${step.owner} ${step.name}`);
    }
    return ran;
  } finally {
    await own.destroy();
  }
}

interface Ran {
  readonly owner: string;
  readonly name: string;
}

function isOf(row: Ran, step: Ran): boolean {
  return row.owner === step.owner && row.name === step.name;
}

/** Waits for other processes first. @returns whether the migration ran here */
async function runOnce(
  db: Kysely<AnyTables>,
  { owner, name, migration }: Ran & { readonly migration: Migration },
  clock: Pick<Clock, 'now'>,
): Promise<boolean> {
  return await transact(db, async (tx) => {
    await lock(tx, 'migrations');
    if ((await ranBefore(tx)).some((row) => isOf(row, { owner, name }))) return false;
    await createTable(tx);
    await migration.up(tx);
    if (owner === 'linod') await writeVersion(tx, versionOf(migration));
    await tx.insertInto('linod_migrations').values({ owner, name, ran_at: clock.now() }).execute();
    return true;
  });
}

async function ranBefore(db: Kysely<AnyTables>): Promise<Ran[]> {
  if (!(await hasTable(db, 'linod_migrations'))) return [];
  const query = db.selectFrom('linod_migrations').select(['owner', 'name']).orderBy('name');
  return await query.$castTo<Ran>().execute();
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
