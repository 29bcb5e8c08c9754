// The first tables: rules, jobs and what belongs to them, workers, leases, log positions.

import type { Kysely } from 'kysely';
import { sql } from '../kysely.js';
import type { AnyTables, Migration } from '../migrate.js';

export const tables: Migration = {
  name: '0001-tables',
  async up(db) {
    await createRules(db);
    await createJobs(db);
    await createWorkers(db);
    await createLogPositions(db);
  },
};

async function createRules(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('job_rules')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('seqno', 'integer', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('procedure', 'text', (c) => c.notNull())
    .addColumn('suggestion', 'text', (c) => c.notNull())
    .addColumn('every', 'integer')
    .addColumn('every_unit', 'text')
    .addColumn('weekdays', 'text')
    .addColumn('positions', 'text')
    .addColumn('start_datetime', 'text')
    .addColumn('timezone', 'text')
    .addColumn('until', 'text')
    .addColumn('count', 'integer')
    .addColumn('log_level', 'text')
    .addColumn('on_failure', 'text')
    .addColumn('timeout_seconds', 'real')
    .addColumn('cancelled_at', 'integer')
    .addColumn('cancelled_by', 'text')
    .addColumn('cancelled_reason', 'text')
    .addColumn('removed_at', 'integer')
    .addColumn('next_due_at', 'integer')
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('job_rules_due').on('job_rules').column('next_due_at').execute();
  await db.schema
    .createTable('decisions')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('rule_id', 'integer', (c) => c.notNull().references('job_rules.id'))
    .addColumn('due_at', 'integer')
    .addColumn('decided_at', 'integer', (c) => c.notNull())
    .addColumn('worker_id', 'text', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('detail', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('decisions_rule').on('decisions').columns(['rule_id', 'id']).execute();
}

async function createJobs(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('job_requests')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('rule_id', 'integer', (c) => c.notNull().references('job_rules.id'))
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('requested_at', 'integer', (c) => c.notNull())
    .addColumn('requested_by', 'text', (c) => c.notNull())
    .addColumn('handled_at', 'integer')
    .addColumn('outcome', 'text')
    .execute();
  await db.schema
    .createIndex('job_requests_open')
    .on('job_requests')
    .column('id')
    .where(sql.ref('handled_at'), 'is', null)
    .execute();
  await db.schema
    .createTable('jobs')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('rule_id', 'integer', (c) => c.notNull().references('job_rules.id'))
    .addColumn('procedure', 'text', (c) => c.notNull())
    .addColumn('due_at', 'integer')
    .addColumn('request_id', 'integer', (c) => c.unique().references('job_requests.id'))
    .addColumn('start_datetime', 'integer', (c) => c.notNull())
    .addColumn('end_datetime', 'integer')
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('message', 'text', (c) => c.notNull())
    .addColumn('progress', 'text')
    .addColumn('worker_id', 'text', (c) => c.notNull())
    .addUniqueConstraint('jobs_rule_due', ['rule_id', 'due_at'])
    .execute();
  await db.schema.createIndex('jobs_rule').on('jobs').columns(['rule_id', 'id']).execute();
  await db.schema
    .createIndex('jobs_running')
    .on('jobs')
    .column('rule_id')
    .where(sql.ref('status'), '=', sql.lit('running'))
    .execute();
  await db.schema
    .createTable('job_lines')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('job_id', 'integer', (c) => c.notNull().references('jobs.id').onDelete('cascade'))
    .addColumn('logged_at', 'integer', (c) => c.notNull())
    .addColumn('level', 'text', (c) => c.notNull())
    .addColumn('text', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('job_lines_job').on('job_lines').columns(['job_id', 'id']).execute();
}

async function createWorkers(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('workers')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('host', 'text', (c) => c.notNull())
    .addColumn('pid', 'integer', (c) => c.notNull())
    .addColumn('pid_start', 'text', (c) => c.notNull())
    .addColumn('channels', 'text', (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('started_at', 'integer', (c) => c.notNull())
    .addColumn('heartbeat_at', 'integer', (c) => c.notNull())
    .addColumn('stopped_at', 'integer')
    .addColumn('stop_reason', 'text')
    .execute();
  await db.schema
    .createTable('leases')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('worker_id', 'text', (c) => c.notNull())
    .addColumn('fence', 'integer', (c) => c.notNull())
    .addColumn('until', 'integer', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('start_orders')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('ordered_at', 'integer', (c) => c.notNull())
    .addColumn('ordered_by', 'text', (c) => c.notNull())
    .execute();
}

async function createLogPositions(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('log_positions')
    .addColumn('sender', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('last', 'integer', (c) => c.notNull())
    .addColumn('is_current', 'integer', (c) => c.notNull())
    .addColumn('heard_at', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('log_positions_key', ['sender', 'epoch'])
    .execute();
  await db.schema
    .createTable('log_checkpoints')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('file', 'text', (c) => c.notNull())
    .addColumn('offset', 'integer', (c) => c.notNull())
    .addColumn('updated_at', 'integer', (c) => c.notNull())
    .execute();
}
