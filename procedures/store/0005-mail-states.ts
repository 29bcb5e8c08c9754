// States of mails that tell a person more, and indexes for outboxes with many thousands that wait.

import { type Migration, sql } from '../../src/index.js';

export const mailStates: Migration = {
  name: '0005-mail-states',
  async up(db) {
    const mails = () => db.schema.alterTable('outbox_mails');
    await mails()
      .addColumn('handed_over', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await mails().addColumn('unsubscribe', 'text').execute();
    await sql`update outbox_mails set status = case attempts when 0 then 'queued' else 'deferred' end where status = 'pending'`.execute(
      db,
    );
    await db.schema.dropIndex('outbox_mails_pending').execute();
    // In the order in which they are sent. Small, however many mails were sent: the procedures look every few seconds.
    await sql`create index outbox_mails_due on outbox_mails (next_attempt_at, id) where status in ('queued', 'deferred') and urgency <> 'daily'`.execute(
      db,
    );
    await sql`create index outbox_mails_for_digest on outbox_mails (recipient, id) where status = 'queued' and urgency = 'daily'`.execute(
      db,
    );
  },
};
