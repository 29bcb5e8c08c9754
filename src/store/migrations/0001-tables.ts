// The tables: rules, jobs and what belongs to them, workers, leases.

import { sql } from 'kysely';
import { dialectOf, idColumn } from '../dialect.js';
import type { Migration } from '../migrate.js';
import { indexes, ruleColumns, tables } from '../schema.js';
import { createTriggers } from './triggers.js';

export const firstRelease: Migration = {
  name: '0001-first-release',
  async up(db) {
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
    await createTriggers(db, Object.keys(ruleColumns));
  },
};
