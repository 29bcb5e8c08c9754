// Alarms, and what else operators need.

import { sql } from 'kysely';
import { dialectOf } from '../dialect.js';
import type { Migration } from '../migrate.js';
import {
  operationsIndexes,
  operationsJobRules,
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
    for (const [name, type] of Object.entries(operationsJobRules)) {
      const words = isPostgres ? type.replace('integer', 'bigint') : type;
      await sql.raw(`alter table job_rules add column ${name} ${words}`).execute(db);
    }
    await recordChangesOf(db, Object.keys({ ...ruleColumns, ...operationsRuleColumns }));
    await createTables(db, operationsTables, operationsIndexes);
  },
};
