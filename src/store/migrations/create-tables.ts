// Creates tables and indexes from the descriptions in schema.ts.

import { type Kysely, sql } from 'kysely';
import { dialectOf, idColumn } from '../dialect.js';
import type { AnyTables } from '../migrate.js';

/** Tables by their names; each has its columns by their names, with SQLite's types. */
export type TableDescriptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

export async function createTables(
  db: Kysely<AnyTables>,
  tables: TableDescriptions,
  indexes: readonly string[],
): Promise<void> {
  const isPostgres = dialectOf(db) === 'postgres';
  const definition = ([name, type]: [string, string]) => {
    if (type === 'id') return idColumn(db);
    const words = type.replace(/^integer/, 'bigint').replace(/^real/, 'double precision');
    return `${name} ${isPostgres ? words : type}`;
  };
  for (const [table, columns] of Object.entries(tables)) {
    const definitions = Object.entries(columns).map(definition).join(', ');
    // Strict, so that nobody can store text in a number column.
    await sql.raw(`create table ${table} (${definitions}) ${isPostgres ? '' : 'strict'}`).execute(db);
  }
  for (const index of indexes) await sql.raw(`create ${index}`).execute(db);
}
