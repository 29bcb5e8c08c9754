// How each worker says it is doing.

import type { Migration } from '../migrate.js';

export const health: Migration = {
  name: '0002-health',
  async up(db) {
    await db.schema
      .alterTable('workers')
      .addColumn('health', 'text', (c) => c.notNull().defaultTo(''))
      .execute();
  },
};
