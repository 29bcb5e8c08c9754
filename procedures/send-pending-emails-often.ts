// Delivers messages on their users' ways, and sends urgent mails within seconds.

import { scheduleOften } from '../src/index.js';
import { sendMails } from './mail/send-mails.js';
import { routeMessages } from './messages/route.js';
import { siteDatabase } from './store/open.js';

export const sendPendingEmailsOften = scheduleOften(
  { every: 10, onFailure: 'continue' },
  async function send_pending_emails_often(ar) {
    const db = await siteDatabase(ar);
    await routeMessages(ar, db);
    await sendMails(ar, db);
  },
);
