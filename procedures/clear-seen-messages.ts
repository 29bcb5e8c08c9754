// Deletes messages that their users saw some time ago. Keeps unseen ones of any age.

import { scheduleDaily, sql } from '../src/index.js';
import { counted } from './shared/counted.js';
import { deleteBefore } from './shared/delete-old.js';
import { daysBefore, retention } from './shared/retention.js';
import { siteDatabase } from './store/open.js';

export const clearSeenMessages = scheduleDaily(
  { onFailure: 'continue' },
  async function clear_seen_messages(ar) {
    await siteDatabase(ar);
    const days = retention().seenMessageDays;
    // A message with `route_at` may still have to be mailed.
    const isThrough = sql<boolean>`route_at is null`;
    const deleted = await deleteBefore(ar, 'user_messages', 'seen_at', daysBefore(ar.now(), days), isThrough);
    if (deleted === 0) ar.debug(`no message was seen more than ${days} days ago`);
    else ar.info(`${counted(deleted, 'message')} deleted, seen more than ${days} days ago`);
  },
);
