// The first tables: messages, mails, problems, summaries and reminders.

import type { Kysely } from 'kysely';
import { type AnyTables, type Migration, sql } from '../../src/index.js';

export const tables: Migration = {
  name: '0001-tables',
  async up(db) {
    await createMessages(db);
    await createMails(db);
    await createProblems(db);
    await createSummaries(db);
    await createReminders(db);
  },
};

async function createMessages(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('user_messages')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('user', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('owner', 'text')
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('seen_at', 'integer')
    .execute();
  await db.schema.createIndex('user_messages_user').on('user_messages').columns(['user', 'id']).execute();
  await db.schema.createIndex('user_messages_seen').on('user_messages').column('seen_at').execute();
}

async function createMails(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('outbox_mails')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('message_id', 'text', (c) => c.notNull().unique())
    .addColumn('recipient', 'text', (c) => c.notNull())
    .addColumn('sender', 'text')
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('text', 'text', (c) => c.notNull())
    .addColumn('html', 'text')
    .addColumn('urgency', 'text', (c) => c.notNull())
    .addColumn('owner', 'text')
    .addColumn('queued_at', 'integer', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('interruptions', 'integer', (c) => c.notNull())
    .addColumn('next_attempt_at', 'integer', (c) => c.notNull())
    .addColumn('job_id', 'integer')
    .addColumn('answer', 'text')
    .addColumn('done_at', 'integer')
    .addColumn('digest_id', 'integer', (c) => c.references('outbox_mails.id').onDelete('cascade'))
    .execute();
  // Both are small, however many mails were sent: the procedures look every few seconds.
  await db.schema
    .createIndex('outbox_mails_pending')
    .on('outbox_mails')
    .columns(['urgency', 'next_attempt_at'])
    .where(sql.ref('status'), '=', sql.lit('pending'))
    .execute();
  await db.schema
    .createIndex('outbox_mails_sending')
    .on('outbox_mails')
    .column('job_id')
    .where(sql.ref('status'), '=', sql.lit('sending'))
    .execute();
  await db.schema.createIndex('outbox_mails_done').on('outbox_mails').column('done_at').execute();
  await db.schema.createIndex('outbox_mails_digest').on('outbox_mails').column('digest_id').execute();
}

async function createProblems(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('data_problems')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('checker', 'text', (c) => c.notNull())
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('message', 'text', (c) => c.notNull())
    .addColumn('fixable', 'integer', (c) => c.notNull())
    .addColumn('since', 'integer', (c) => c.notNull())
    .addColumn('seen_pass', 'integer', (c) => c.notNull())
    .addColumn('closed_at', 'integer')
    .addUniqueConstraint('data_problems_key', ['checker', 'owner', 'message'])
    .execute();
  await db.schema.createIndex('data_problems_closed').on('data_problems').column('closed_at').execute();
  await db.schema
    .createTable('checker_passes')
    .addColumn('checker', 'text', (c) => c.primaryKey())
    .addColumn('pass', 'integer', (c) => c.notNull())
    .addColumn('started_at', 'integer', (c) => c.notNull())
    .addColumn('position', 'text')
    .addColumn('checked', 'integer', (c) => c.notNull())
    .addColumn('ended_at', 'integer')
    .execute();
}

async function createSummaries(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('dirty_summaries')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('summary', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('marked_at', 'integer', (c) => c.notNull())
    .addColumn('failures', 'integer', (c) => c.notNull())
    .addColumn('last_error', 'text')
    .addUniqueConstraint('dirty_summaries_key', ['summary', 'key'])
    .execute();
  await db.schema
    .createIndex('dirty_summaries_order')
    .on('dirty_summaries')
    .columns(['summary', 'failures', 'id'])
    .execute();
}

async function createReminders(db: Kysely<AnyTables>): Promise<void> {
  await db.schema
    .createTable('event_reminders')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('source', 'text', (c) => c.notNull())
    .addColumn('event', 'text', (c) => c.notNull())
    .addColumn('user', 'text', (c) => c.notNull())
    .addColumn('minutes_before', 'integer', (c) => c.notNull())
    .addColumn('starts_at', 'integer', (c) => c.notNull())
    .addColumn('remind_at', 'integer', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('sent_at', 'integer')
    .addUniqueConstraint('event_reminders_key', ['source', 'event', 'user', 'minutes_before', 'starts_at'])
    .execute();
  await db.schema
    .createIndex('event_reminders_planned')
    .on('event_reminders')
    .column('remind_at')
    .where(sql.ref('sent_at'), 'is', null)
    .execute();
  await db.schema.createIndex('event_reminders_start').on('event_reminders').column('starts_at').execute();
}
