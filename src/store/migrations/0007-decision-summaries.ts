// What the ledger keeps of entries that are too old to be kept one by one, and what else its readers want to know.

import type { Migration } from '../migrate.js';

export const decisionSummaries: Migration = {
  name: '0007-decision-summaries',
  async up(db) {
    await db.schema
      .createTable('decision_summaries')
      .addColumn('rule_id', 'integer', (c) => c.notNull().references('job_rules.id'))
      .addColumn('day', 'text', (c) => c.notNull())
      .addColumn('reason', 'text', (c) => c.notNull())
      .addColumn('times', 'integer', (c) => c.notNull())
      .addColumn('first_at', 'integer', (c) => c.notNull())
      .addColumn('last_at', 'integer', (c) => c.notNull())
      .addColumn('last_detail', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('decision_summaries_key', ['rule_id', 'day', 'reason'])
      .execute();
    for (const column of ['request_id', 'job_id']) {
      await db.schema.alterTable('decisions').addColumn(column, 'integer').execute();
    }
    await db.schema
      .alterTable('workers')
      .addColumn('procedures', 'text', (c) => c.notNull().defaultTo(''))
      .execute();
    await db.schema.alterTable('workers').addColumn('max_jobs', 'integer').execute();
    await db.schema
      .createTable('switch_offs')
      .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
      .addColumn('since', 'integer', (c) => c.notNull())
      .addColumn('until', 'integer')
      .execute();
  },
};
