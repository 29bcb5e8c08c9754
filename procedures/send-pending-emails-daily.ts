// Composes each recipient's digest, sends the digests, and cleans the outbox.

import { scheduleDaily } from '../src/index.js';
import { makeDigests } from './mail/digest.js';
import { mails, sendMails } from './mail/send-mails.js';
import { Outbox } from './outbox/outbox.js';
import { retention } from './shared/retention.js';
import { siteDatabase } from './store/open.js';

export const sendPendingEmailsDaily = scheduleDaily(
  { onFailure: 'continue' },
  async function send_pending_emails_daily(ar) {
    const db = await siteDatabase(ar);
    const made = await makeDigests(ar, db);
    if (made === 0) ar.debug('nothing waits for a digest');
    else await sendMails(ar, db);
    await new Outbox(ar, db, mails).clearDone(retention().doneMailDays);
  },
);
