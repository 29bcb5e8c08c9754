// Typed access to the tables of the procedures.

import type { QueryCreator as AnyQueryCreator, Kysely, QueryExecutorProvider } from 'kysely';
import {
  type AnyTables,
  type BaseRequest,
  type Database,
  LinodError,
  QueryCreator,
  registerMigrations,
  type Site,
} from '../../src/index.js';

import { firstTables, type ProcedureTables } from './tables.js';

const migrations = { owner: 'linod/procedures', migrations: [firstTables] };

registerMigrations(migrations);

/** The tables of the daemon and of its procedures. */
export type SiteDatabase = Kysely<Database & ProcedureTables>;

/**
 * Any Kysely or transaction on the site's database, with any table types. Writes through an application's
 * transaction are committed with it.
 */
export type AnyKysely = QueryExecutorProvider;

/** The database lacks tables of `linod/procedures`. */
export class MissingTablesError extends LinodError {
  constructor(site: string) {
    super(
      'LINOD_ERR_MISSING_TABLES',
      `the database of site ${JSON.stringify(site)} lacks the tables of linod/procedures: import it before ` +
        'opening the store, or run `linod migrate`',
    );
  }
}

/** Sites whose databases have the tables. */
const complete = new WeakSet<Site>();

/**
 * The database of a request, with the tables of the procedures.
 *
 * @throws MissingTablesError (`LINOD_ERR_MISSING_TABLES`)
 */
export async function siteDatabase(ar: BaseRequest): Promise<SiteDatabase> {
  if (!complete.has(ar.site)) await requireTables(ar);
  complete.add(ar.site);
  return ar.db.withTables<ProcedureTables>();
}

async function requireTables(ar: BaseRequest): Promise<void> {
  const done = await anyTables(ar.db)
    .selectFrom('linod_migrations')
    .select('name')
    .where('owner', '=', migrations.owner)
    .execute();
  const isMissing = (name: string) => !done.some((row) => row.name === name);
  if (migrations.migrations.some(({ name }) => isMissing(name))) throw new MissingTablesError(ar.site.name);
}

/** Queries on the procedures' tables through any connection. */
export function procedureTables(db: AnyKysely): AnyQueryCreator<ProcedureTables> {
  return new QueryCreator({ executor: db.getExecutor() });
}

/** Queries on untyped tables, such as an application's. */
export function anyTables(db: AnyKysely): AnyQueryCreator<AnyTables> {
  return new QueryCreator({ executor: db.getExecutor() });
}
