// Sends the mails that are to go out within seconds, and digests that could not be sent at first.

import { scheduleOften } from '../src/index.js';
import { findTransport } from './mail/find-transport.js';
import { sendPending } from './mail/send-pending.js';
import { siteDatabase } from './store/open.js';

const urgencies = ['often', 'digest'] as const;

export const sendPendingEmailsOften = scheduleOften(
  { every: 10, onFailure: 'continue' },
  async function send_pending_emails_often(ar) {
    const db = await siteDatabase(ar);
    const transport = await findTransport(ar, db, 'send_pending_emails_often', urgencies);
    if (transport !== undefined) await sendPending(ar, db, transport, urgencies);
  },
);
