// Which tables belong to linod and its modules. A PostgreSQL database may have others of the application.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import type { AnyTables } from '../store/migrate.js';
import { migrationSets } from '../store/migrations/index.js';
import { openStore, type Store } from '../store/store.js';
import { RefusedError } from './errors.js';

/** One table of a site's database. */
export interface SiteTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** The column that numbers its rows; undefined where nothing does. */
  readonly numbered: string | undefined;
}

/**
 * The tables that all migrations of this process create, each after the tables that it refers to. The record of
 * the migrations is not among them.
 */
export async function siteTables(): Promise<SiteTable[]> {
  const directory = await mkdtemp(join(tmpdir(), 'linod-tables-'));
  try {
    const fresh = await openStore({ path: join(directory, 'fresh.db') });
    return await tablesOf(untyped(fresh.db)).finally(() => fresh.close());
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function tablesOf(db: Kysely<AnyTables>): Promise<SiteTable[]> {
  const { rows } = await sql<{ name: string; sql: string }>`
    select name, sql from sqlite_master
    where type = 'table' and name not like 'sqlite_%' and name <> 'linod_migrations' order by rowid`.execute(
    db,
  );
  return await Promise.all(
    rows.map(async ({ name, sql: definition }) => {
      const info = sql<{ name: string; pk: number }>`select name, pk from pragma_table_info(${name})`;
      const columns = (await info.execute(db)).rows;
      const isNumbered = /\bautoincrement\b/i.test(definition);
      return {
        name,
        columns: columns.map((column) => column.name),
        numbered: isNumbered ? columns.find(({ pk }) => pk > 0)?.name : undefined,
      };
    }),
  );
}

/** For statements about tables that are known only when the program runs. */
export function untyped(db: Store['db']): Kysely<AnyTables> {
  return db as unknown as Kysely<AnyTables>;
}

/**
 * Refuses a database with tables of a module that this process has not loaded: a copy would lack them.
 *
 * @throws RefusedError
 */
export async function refuseUnknownOwners({ db }: Store): Promise<void> {
  const known = new Set(migrationSets().map(({ owner }) => owner));
  const rows = await untyped(db).selectFrom('linod_migrations').select('owner').distinct().execute();
  const unknown = rows.map(({ owner }) => String(owner)).filter((owner) => !known.has(owner));
  if (unknown.length === 0) return;
  throw new RefusedError(
    `the database has tables of ${unknown.join(', ')}, which the site does not load: ` +
      'add the module to `procedures`, or set shippedProcedures',
  );
}
