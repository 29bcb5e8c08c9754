// Push: who may be reached where, and what is on the way to them.

import { type Migration, sql } from '../../src/index.js';

export const pushTables: Migration = {
  name: '0004-push',
  async up(db) {
    await db.schema
      .createTable('push_subscriptions')
      .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
      .addColumn('user', 'text', (c) => c.notNull())
      .addColumn('endpoint', 'text', (c) => c.notNull().unique())
      .addColumn('origin', 'text', (c) => c.notNull())
      .addColumn('p256dh', 'text', (c) => c.notNull())
      .addColumn('auth', 'text', (c) => c.notNull())
      .addColumn('device', 'text')
      .addColumn('created_at', 'integer', (c) => c.notNull())
      .addColumn('sent_at', 'integer')
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('problem', 'text')
      .execute();
    await db.schema
      .createIndex('push_subscriptions_user')
      .on('push_subscriptions')
      .columns(['user', 'id'])
      .execute();
    await db.schema
      .createIndex('push_subscriptions_origin')
      .on('push_subscriptions')
      .column('origin')
      .execute();
    await db.schema
      .createTable('push_messages')
      .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
      .addColumn('user', 'text')
      .addColumn('payload', 'text', (c) => c.notNull())
      .addColumn('topic', 'text', (c) => c.notNull())
      .addColumn('urgency', 'text', (c) => c.notNull())
      .addColumn('queued_at', 'integer', (c) => c.notNull())
      .addColumn('expires_at', 'integer', (c) => c.notNull())
      .execute();
    await db.schema.createIndex('push_messages_queued').on('push_messages').column('queued_at').execute();
    await db.schema
      .createTable('push_deliveries')
      .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
      .addColumn('message_id', 'integer', (c) =>
        c.notNull().references('push_messages.id').onDelete('cascade'),
      )
      .addColumn('subscription_id', 'integer', (c) => c.notNull())
      .addColumn('status', 'text', (c) => c.notNull())
      .addColumn('attempts', 'integer', (c) => c.notNull())
      .addColumn('interruptions', 'integer', (c) => c.notNull())
      .addColumn('next_attempt_at', 'integer', (c) => c.notNull())
      .addColumn('job_id', 'integer')
      .addColumn('answer', 'text')
      .addColumn('done_at', 'integer')
      .execute();
    await db.schema
      .createIndex('push_deliveries_message')
      .on('push_deliveries')
      .column('message_id')
      .execute();
    // The next three are small, however many were sent: the procedure looks every few seconds.
    await db.schema
      .createIndex('push_deliveries_pending')
      .on('push_deliveries')
      .columns(['next_attempt_at', 'id'])
      .where(sql.ref('status'), '=', sql.lit('pending'))
      .execute();
    await db.schema
      .createIndex('push_deliveries_waiting')
      .on('push_deliveries')
      .column('subscription_id')
      .where(sql.ref('status'), '=', sql.lit('pending'))
      .execute();
    await db.schema
      .createIndex('push_deliveries_sending')
      .on('push_deliveries')
      .column('job_id')
      .where(sql.ref('status'), '=', sql.lit('sending'))
      .execute();
    await db.schema.createIndex('push_deliveries_done').on('push_deliveries').column('done_at').execute();
  },
};
