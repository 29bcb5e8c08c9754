// The shop's tables. linod makes them when the database is opened, each migration once.

import { registerMigrations } from 'linod';

export interface User {
  /** What messages, mails and pushes call the user. */
  name: string;
  email: string | null;
}

export interface Order {
  id: number;
  customer: string;
  article: string;
  /** In cents, as `paid`. */
  total: number;
  paid: number;
  ordered_at: number;
}

export interface Meeting {
  id: number;
  subject: string;
  /** In ms since 1970. */
  starts_at: number;
  /** JSON: a list of users. */
  guests: string;
  cancelled: number;
}

/** For Kysely's `withTables`: what the shop keeps beside linod's own tables. */
export type Shop = {
  users: User;
  orders: Order;
  meetings: Meeting;
  turnovers: { customer: string; total: number };
};

registerMigrations({
  owner: 'shop',
  migrations: [
    {
      name: '0001-shop',
      async up(db) {
        await db.schema
          .createTable('users')
          .addColumn('name', 'text', (c) => c.primaryKey())
          .addColumn('email', 'text')
          .execute();
        await db.schema
          .createTable('orders')
          .addColumn('id', 'integer', (c) => c.primaryKey())
          .addColumn('customer', 'text', (c) => c.notNull())
          .addColumn('article', 'text', (c) => c.notNull())
          .addColumn('total', 'integer', (c) => c.notNull())
          .addColumn('paid', 'integer', (c) => c.notNull())
          .addColumn('ordered_at', 'integer', (c) => c.notNull())
          .execute();
        await db.schema
          .createTable('meetings')
          .addColumn('id', 'integer', (c) => c.primaryKey())
          .addColumn('subject', 'text', (c) => c.notNull())
          .addColumn('starts_at', 'integer', (c) => c.notNull())
          .addColumn('guests', 'text', (c) => c.notNull())
          .addColumn('cancelled', 'integer', (c) => c.notNull())
          .execute();
        await db.schema.createIndex('meetings_start').on('meetings').column('starts_at').execute();
        await db.schema
          .createTable('turnovers')
          .addColumn('customer', 'text', (c) => c.primaryKey())
          .addColumn('total', 'integer', (c) => c.notNull())
          .execute();
      },
    },
  ],
});
