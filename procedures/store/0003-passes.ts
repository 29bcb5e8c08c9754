// Whose a pass of a checker is, and which summaries are to be computed whole.

import { type Migration, sql } from '../../src/index.js';

export const passes: Migration = {
  name: '0003-passes',
  async up(db) {
    await db.schema
      .alterTable('checker_passes')
      .addColumn('run', 'text', (c) => c.notNull().defaultTo(''))
      .execute();
    await db.schema
      .createTable('whole_summaries')
      .addColumn('summary', 'text', (c) => c.primaryKey())
      .addColumn('asked_at', 'integer', (c) => c.notNull())
      .execute();
    // Closing what a pass did not find looks at open problems only, however many were closed.
    await db.schema
      .createIndex('data_problems_open')
      .on('data_problems')
      .columns(['checker', 'seen_pass'])
      .where(sql.ref('closed_at'), 'is', null)
      .execute();
  },
};
