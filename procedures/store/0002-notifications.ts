// How users get their messages, and which ways are left for each.

import { type Migration, sql } from '../../src/index.js';

export const notifications: Migration = {
  name: '0002-notifications',
  async up(db) {
    // Messages that are there already go no way any more: they were written when there was none.
    await db.schema
      .alterTable('user_messages')
      .addColumn('in_app', 'integer', (c) => c.notNull().defaultTo(1))
      .execute();
    await db.schema.alterTable('user_messages').addColumn('route_at', 'integer').execute();
    await db.schema.alterTable('user_messages').addColumn('pending_ways', 'text').execute();
    await db.schema.alterTable('user_messages').addColumn('problem', 'text').execute();
    await db.schema
      .createIndex('user_messages_route')
      .on('user_messages')
      .column('id')
      .where(sql.ref('route_at'), 'is not', null)
      .execute();
    await db.schema
      .createIndex('user_messages_unseen')
      .on('user_messages')
      .column('user')
      .where(sql.ref('seen_at'), 'is', null)
      .execute();
    await db.schema
      .createTable('notification_choices')
      .addColumn('user', 'text', (c) => c.notNull())
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('ways', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('notification_choices_key', ['user', 'kind'])
      .execute();
  },
};
