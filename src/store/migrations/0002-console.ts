// The tables of the console: its users, what opens it, its audit, and orders to workers.

import type { Migration } from '../migrate.js';
import { consoleIndexes, consoleTables } from '../schema.js';
import { createTables } from './create-tables.js';

export const consoleMigration: Migration = {
  name: '0002-console',
  async up(db) {
    await createTables(db, consoleTables, consoleIndexes);
  },
};
