// The few things that are said differently to different databases, each in one place.
//
// All other SQL is the same everywhere. What Kysely's query builder writes is adapted by the compilers in sqlite.ts
// and postgres/dialect.ts: on SQLite `forUpdate()` and its like say nothing, as its transactions hold the lock of the
// whole database; on PostgreSQL an `integer` has 64 bits, as it has on SQLite.

import type { QueryExecutorProvider } from 'kysely';
import { PostgresAdapter, sql } from './kysely.js';

export type DialectName = 'sqlite' | 'postgres';

/** What kind of database a Kysely or a transaction speaks to. */
export function dialectOf(db: QueryExecutorProvider): DialectName {
  return db.getExecutor().adapter instanceof PostgresAdapter ? 'postgres' : 'sqlite';
}

/** Whether a table exists. */
export async function hasTable(db: QueryExecutorProvider, name: string): Promise<boolean> {
  const query =
    dialectOf(db) === 'postgres'
      ? sql`select 1 where to_regclass(${name}) is not null`
      : sql`select 1 from sqlite_master where type = 'table' and name = ${name}`;
  return (await query.execute(db)).rows.length > 0;
}

/** What may be locked as a whole. The numbers are linod's among the advisory locks of a PostgreSQL database. */
const locks = { migrations: 1, rules: 2 } as const;
const lockClass = 0x6c696e6f;

/**
 * Waits until no other transaction holds this lock, and holds it until the transaction ends: for decisions about
 * rows that are not there yet, and so cannot be locked. On SQLite every transaction that writes is alone anyway.
 */
export async function lock(tx: QueryExecutorProvider, what: keyof typeof locks): Promise<void> {
  if (dialectOf(tx) !== 'postgres') return;
  await sql`select pg_advisory_xact_lock(${lockClass}::integer, ${locks[what]}::integer)`.execute(tx);
}
