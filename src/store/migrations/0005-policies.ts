// How rules deal with their runs, attempts, and a ledger that tells of stretches of time.

import { sql } from '../kysely.js';
import type { Migration } from '../migrate.js';

const ruleColumns = {
  misfire: 'text',
  misfire_window_seconds: 'double precision',
  overlap: 'text',
  grace_seconds: 'double precision',
  retries: 'integer',
  retry_delay_seconds: 'double precision',
  cancel_after: 'integer',
  on_lost: 'text',
  run_in: 'text',
  memory_mb: 'integer',
  priority: 'integer',
  job_group: 'text',
  group_limit: 'integer',
  jitter_seconds: 'double precision',
  excluded: 'text',
  on_excluded: 'text',
  run_after: 'text',
} as const;

export const policies: Migration = {
  name: '0005-policies',
  async up(db) {
    // SQLite adds one column at a time.
    for (const [column, type] of Object.entries(ruleColumns)) {
      await db.schema.alterTable('job_rules').addColumn(column, type).execute();
    }
    await db.schema
      .alterTable('job_rules')
      .addColumn('failures_in_row', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await db.schema
      .alterTable('job_rules')
      .addColumn('due_priority', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await db.schema
      .alterTable('job_rules')
      .addColumn('due_group', 'text', (c) => c.notNull().defaultTo(''))
      .execute();
    await db.schema.alterTable('job_rules').addColumn('follows_rule_id', 'integer').execute();
    await db.schema
      .createIndex('job_rules_follows')
      .on('job_rules')
      .column('follows_rule_id')
      .where(sql.ref('follows_rule_id'), 'is not', null)
      .execute();

    await db.schema
      .alterTable('jobs')
      .addColumn('attempt', 'integer', (c) => c.notNull().defaultTo(1))
      .execute();
    for (const column of ['args', 'checkpoint', 'cause', 'run_in', 'job_group']) {
      await db.schema.alterTable('jobs').addColumn(column, 'text').execute();
    }
    for (const column of ['cpu_ms', 'memory_bytes']) {
      await db.schema.alterTable('jobs').addColumn(column, 'integer').execute();
    }

    await db.schema
      .alterTable('job_requests')
      .addColumn('run_at', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await db.schema
      .alterTable('job_requests')
      .addColumn('attempt', 'integer', (c) => c.notNull().defaultTo(1))
      .execute();
    await db.schema
      .alterTable('job_requests')
      .addColumn('priority', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    for (const column of ['args', 'checkpoint']) {
      await db.schema.alterTable('job_requests').addColumn(column, 'text').execute();
    }
    await db.schema.alterTable('job_requests').addColumn('of_job', 'integer').execute();
    await db.schema
      .alterTable('job_requests')
      .addColumn('job_group', 'text', (c) => c.notNull().defaultTo(''))
      .execute();
    await db.schema.dropIndex('job_requests_open').execute();
    await db.schema
      .createIndex('job_requests_open')
      .on('job_requests')
      .columns(['action', 'priority desc', 'id'])
      .where(sql.ref('handled_at'), 'is', null)
      .execute();
    await db.schema
      .createIndex('job_requests_later')
      .on('job_requests')
      .column('run_at')
      .where(sql<boolean>`handled_at is null and run_at > 0`)
      .execute();
    await db.schema
      .createIndex('jobs_in_group')
      .on('jobs')
      .column('job_group')
      .where(sql<boolean>`status = 'running' and job_group is not null`)
      .execute();

    await db.schema.alterTable('decisions').addColumn('due_until', 'integer').execute();
    await db.schema
      .alterTable('decisions')
      .addColumn('times', 'integer', (c) => c.notNull().defaultTo(1))
      .execute();
  },
};
