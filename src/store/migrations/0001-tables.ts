// The tables: rules, jobs and what belongs to them, workers, leases.

import type { Migration } from '../migrate.js';
import { indexes, ruleColumns, tables } from '../schema.js';
import { createTables } from './create-tables.js';
import { createTriggers } from './triggers.js';

export const firstRelease: Migration = {
  name: '0001-first-release',
  async up(db) {
    await createTables(db, tables, indexes);
    await createTriggers(db, Object.keys(ruleColumns));
  },
};
