// Makes each recipient one digest of the mails that can wait for it, sends them, and tidies the outbox.

import { scheduleDaily } from '../src/index.js';
import { clearDoneMails } from './mail/clear-done.js';
import { makeDigests } from './mail/digest.js';
import { withTransport } from './mail/find-transport.js';
import { sendPending } from './mail/send-pending.js';
import { siteDatabase } from './store/open.js';

export const sendPendingEmailsDaily = scheduleDaily(
  { onFailure: 'continue' },
  async function send_pending_emails_daily(ar) {
    const db = await siteDatabase(ar);
    const made = await makeDigests(ar, db);
    if (made === 0) ar.debug('nothing waits for a digest');
    else await withTransport(ar, db, async (transport) => await sendPending(ar, db, transport));
    await clearDoneMails(ar, db);
  },
);
