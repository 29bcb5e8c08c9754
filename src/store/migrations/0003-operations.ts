// Alarms, and what else operators need.

import { sql } from 'kysely';
import { dialectOf } from '../dialect.js';
import type { Migration } from '../migrate.js';
import {
  operationsColumns,
  operationsIndexes,
  operationsRuleColumns,
  operationsTables,
  ruleColumns,
} from '../schema.js';
import { createTables } from './create-tables.js';
import { recordChangesOf } from './triggers.js';

export const operations: Migration = {
  name: '0003-operations',
  async up(db) {
    const isPostgres = dialectOf(db) === 'postgres';
    for (const [table, columns] of Object.entries(operationsColumns)) {
      for (const [name, type] of Object.entries<string>(columns)) {
        const words = isPostgres ? type.replace('integer', 'bigint') : type;
        await sql.raw(`alter table ${table} add column ${name} ${words}`).execute(db);
      }
    }
    await recordChangesOf(db, Object.keys({ ...ruleColumns, ...operationsRuleColumns }));
    await createTables(db, operationsTables, operationsIndexes);
  },
};
