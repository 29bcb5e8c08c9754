// The outbox keeps what was sent for a while, and not for ever.

import type { BaseRequest } from '../../src/index.js';
import { counted } from '../counted.js';
import { mayGoOn } from '../pause.js';
import { daysBefore, retention } from '../retention.js';
import type { SiteDatabase } from '../store/open.js';

const batchSize = 200;

/** Deletes mails that were sent or given up some time ago; the parts of a digest go with it. */
export async function clearDoneMails(ar: BaseRequest, db: SiteDatabase): Promise<void> {
  const days = retention().doneMailDays;
  const doneBefore = daysBefore(ar.now(), days);
  let count = 0;
  let more = true;
  while (more && (await mayGoOn(ar.signal))) {
    const old = db
      .selectFrom('outbox_mails')
      .select('id')
      .where('status', 'in', ['sent', 'failed'])
      .where('done_at', '<', doneBefore)
      .orderBy('done_at')
      .limit(batchSize);
    const { numDeletedRows } = await db.deleteFrom('outbox_mails').where('id', 'in', old).executeTakeFirst();
    count += Number(numDeletedRows);
    more = Number(numDeletedRows) === batchSize;
  }
  if (count > 0)
    ar.info(`${counted(count, 'mail')} deleted that were sent or given up more than ${days} days ago`);
}
