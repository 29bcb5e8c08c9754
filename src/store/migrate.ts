// Brings a database to the version that this program knows, one numbered step at a time.
//
// Kysely's own migrator is not used: on SQLite it runs without a transaction, so that a process killed in the
// middle would leave half a migration.

import type { Kysely } from 'kysely';
import type { Clock } from '../clock.js';
import { LinodError } from '../errors.js';
import { hasTable, lock, writeVersion } from './dialect.js';
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

/** The number in the name of a migration. */
export function versionOf({ name }: Pick<Migration, 'name'>): number {
  return Number.parseInt(name, 10);
}

/** The database was made by another linod, newer or from before the first release, which this one would damage. */
export class NewerDatabaseError extends LinodError {
  constructor(database: string, owner: string, unknown: ReadonlyArray<{ readonly name: string }>) {
    const names = unknown.map(({ name }) => name).join(', ');
    super(
      'LINOD_ERR_NEWER_DATABASE',
      `database ${database} has migrations of ${owner} that this version does not know: ${names}; a newer version made it, or one from before the first release: update ${owner} and restart its programs, or name another database`,
    );
  }
}

/**
 * Runs the migrations that a database does not have yet. Safe to call from several processes at once.
 *
 * @param connect opens a connection for it: a migration may take long, and must not run into the shared one's time-outs
 * @param database its name for messages
 * @returns those that ran, each behind its owner
 * @throws NewerDatabaseError (`LINOD_ERR_NEWER_DATABASE`) when the database has others, too
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

/** Waits for other processes before it looks. @returns whether it ran here */
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
