// What a look ahead has to know of rules whose runs need a thread or a process.

import { sql } from '../kysely.js';
import type { Migration } from '../migrate.js';

export const dueHost: Migration = {
  name: '0008-due-host',
  async up(db) {
    await db.schema
      .alterTable('job_rules')
      .addColumn('due_host', 'text', (c) => c.notNull().defaultTo(''))
      .execute();
    await db.schema
      .createIndex('job_rules_due_host')
      .on('job_rules')
      .column('next_due_at')
      .where(sql<boolean>`due_host <> ''`)
      .execute();
  },
};
