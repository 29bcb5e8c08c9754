// Sends pushes to browsers. The eighth procedure: the original sends them in the consumer, where a failure loses them.

import { BadConfigError, type BaseRequest, registerPushQueue, scheduleOften, sql } from '../src/index.js';
import { counted } from './counted.js';
import { clearDonePushes } from './push/clear-done.js';
import { queuePush } from './push/queue-push.js';
import { PushRun } from './push/send-pending.js';
import { vapidDetails } from './push/vapid.js';
import { loadWebPush, MissingWebPushError } from './push/web-push.js';
import { type SiteDatabase, siteDatabase } from './store/open.js';

export const sendPendingPush = scheduleOften(
  { every: 10, onFailure: 'continue' },
  async function send_pending_push(ar) {
    const db = await siteDatabase(ar);
    const waiting = await countWaiting(ar, db);
    if (waiting === 0) ar.debug('no push is due');
    else await send(ar, db, waiting);
    await clearDonePushes(ar, db);
  },
);

// What a message `send.push` on the site's channel asks for is queued here, and sent by a run of this procedure.
registerPushQueue({ procedure: sendPendingPush.name, add: queuePush });

/** What is due, or was in the hands of another job. */
async function countWaiting(ar: BaseRequest, db: SiteDatabase): Promise<number> {
  const { count } = await db
    .selectFrom('push_deliveries')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where((eb) =>
      eb.or([
        // The states themselves: with values SQLite plans the query twice, since there are indexes of just these.
        eb.and([
          eb('status', '=', sql.lit('pending' as const)),
          eb('next_attempt_at', '<=', ar.now().getTime()),
        ]),
        eb('status', '=', sql.lit('sending' as const)),
      ]),
    )
    .executeTakeFirstOrThrow();
  return count;
}

/** Without keys nothing can be sent: that is told, and all wait. What stays so for hours is told once. */
let isTold = false;

async function send(ar: BaseRequest, db: SiteDatabase, waiting: number): Promise<void> {
  try {
    await new PushRun(ar, db, await loadWebPush(), vapidDetails(ar.site.settings)).run();
    isTold = false;
  } catch (error) {
    if (!(error instanceof BadConfigError) && !(error instanceof MissingWebPushError)) throw error;
    const text = `${counted(waiting, 'push waits', 'pushes wait')}: ${error.message}`;
    if (isTold) ar.debug(text);
    else ar.warning(text);
    isTold = true;
  }
}
