// Deletes messages that their users have seen some time ago. Unseen ones are kept, however old.

import { scheduleDaily } from '../src/index.js';
import { counted } from './counted.js';
import { mayGoOn } from './pause.js';
import { daysBefore, retention } from './retention.js';
import { siteDatabase } from './store/open.js';

const batchSize = 500;

export const clearSeenMessages = scheduleDaily(
  { onFailure: 'continue' },
  async function clear_seen_messages(ar) {
    const db = await siteDatabase(ar);
    const days = retention().seenMessageDays;
    const seenBefore = daysBefore(ar.now(), days);
    let deleted = 0;
    let more = true;
    while (more && (await mayGoOn(ar.signal))) {
      const old = db
        .selectFrom('user_messages')
        .select('id')
        .where('seen_at', '<', seenBefore)
        // It may still be on its way to its user by mail.
        .where('route_at', 'is', null)
        .orderBy('seen_at')
        .limit(batchSize);
      const { numDeletedRows } = await db
        .deleteFrom('user_messages')
        .where('id', 'in', old)
        .executeTakeFirst();
      deleted += Number(numDeletedRows);
      more = Number(numDeletedRows) === batchSize;
      ar.progress(deleted, undefined, 'messages deleted');
    }
    if (deleted === 0) ar.debug(`no message was seen more than ${days} days ago`);
    else ar.info(`${counted(deleted, 'message')} deleted, seen more than ${days} days ago`);
  },
);
