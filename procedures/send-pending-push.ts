// Sends pushes to browsers. The original sends them in the consumer, where a failure loses them.

import { registerPushQueue, scheduleOften } from '../src/index.js';
import { Outbox } from './outbox/outbox.js';
import { queuePush } from './push/queue-push.js';
import { clearOldPushes, pushes, sendPushes } from './push/send-pushes.js';
import { daysBefore, retention } from './shared/retention.js';
import { siteDatabase } from './store/open.js';

export const sendPendingPush = scheduleOften(
  { every: 10, onFailure: 'continue' },
  async function send_pending_push(ar) {
    const db = await siteDatabase(ar);
    await sendPushes(ar, db);
    const { donePushDays } = retention();
    await new Outbox(ar, db, pushes).clearDone(donePushDays);
    await clearOldPushes(db, daysBefore(ar.now(), donePushDays));
  },
);

// Queues the pushes of messages `send.push` on the site's channel. A run of this procedure sends them.
registerPushQueue({ procedure: sendPendingPush.name, add: queuePush });
