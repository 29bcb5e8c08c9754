// Rules by cron expression, and what a rule does at clock changes.

import type { Migration } from '../migrate.js';

export const recurrences: Migration = {
  name: '0003-recurrences',
  async up(db) {
    // SQLite adds one column at a time.
    for (const column of ['cron', 'missing_time', 'repeated_time']) {
      await db.schema.alterTable('job_rules').addColumn(column, 'text').execute();
    }
  },
};
