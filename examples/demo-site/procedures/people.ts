// How people are told things: where they are reached, on which ways by default, and what they are reminded of.

import { QueryCreator } from 'linod';
import { registerEventSource, registerNotificationKind, registerUserDirectory } from 'linod/procedures';
import type { Shop } from './shop.js';

registerNotificationKind({ name: 'order', text: 'Orders', ways: ['in-app', 'mail'] });
registerNotificationKind({ name: 'reminder', text: 'Reminders of meetings', ways: ['in-app', 'push'] });

registerUserDirectory(async (name, db) => {
  const users = new QueryCreator<Shop>({ executor: db.getExecutor() }).selectFrom('users');
  return (await users.selectAll().where('name', '=', name).executeTakeFirst()) ?? null;
});

registerEventSource({
  name: 'meetings',
  remindMinutesBefore: [60, 15],
  async *upcoming(from, to, ar) {
    const meetings = await ar.db
      .withTables<Shop>()
      .selectFrom('meetings')
      .selectAll()
      .where('starts_at', '>=', from.getTime())
      .where('starts_at', '<', to.getTime())
      .execute();
    for (const { id, subject, starts_at, guests, cancelled } of meetings) {
      const start = new Date(starts_at);
      yield { id: `meeting-${id}`, start, to: JSON.parse(guests), subject, cancelled: cancelled === 1 };
    }
  },
});
