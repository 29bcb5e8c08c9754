// Pushes are kept for a while after they were sent, and not for ever.

import type { BaseRequest, Site } from '../../src/index.js';
import { daysBefore, retention } from '../retention.js';
import type { SiteDatabase } from '../store/open.js';

/** Small, since others wait while it is done. */
const batchSize = 500;
/** When nothing was left, it is looked again so much later: what is kept for days need not go to the second. */
const lookEveryMs = 600_000;

const nextLooks = new WeakMap<Site, number>();

/** Deletes some of the pushes that were sent or given up long ago; the next runs delete the rest. */
export async function clearDonePushes(ar: BaseRequest, db: SiteDatabase): Promise<void> {
  const now = ar.now();
  const nextLook = nextLooks.get(ar.site) ?? 0;
  // A clock that was set back has no say.
  if (now.getTime() < nextLook && now.getTime() > nextLook - lookEveryMs) return;
  const before = daysBefore(now, retention().donePushDays);
  const deliveries = db
    .selectFrom('push_deliveries')
    .select('id')
    .where('done_at', '<', before)
    .orderBy('done_at')
    .limit(batchSize);
  const gone = await db.deleteFrom('push_deliveries').where('id', 'in', deliveries).executeTakeFirst();
  const messages = db
    .selectFrom('push_messages')
    .select('push_messages.id')
    .where('push_messages.queued_at', '<', before)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('push_deliveries')
            .select('push_deliveries.id')
            .whereRef('push_deliveries.message_id', '=', 'push_messages.id'),
        ),
      ),
    )
    .orderBy('push_messages.queued_at')
    .limit(batchSize);
  const goneToo = await db.deleteFrom('push_messages').where('id', 'in', messages).executeTakeFirst();
  const isRest = gone.numDeletedRows < batchSize && goneToo.numDeletedRows < batchSize;
  if (isRest) nextLooks.set(ar.site, now.getTime() + lookEveryMs);
  else nextLooks.delete(ar.site);
}
