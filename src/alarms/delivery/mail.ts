// Alarms by mail, straight to the site's mail server: the outbox needs a worker that runs its rules.

import { BadConfigError } from '../../base/errors.js';
import { parseMailUrl } from '../../site/mail-url.js';
import type { Settings } from '../../site/settings.js';
import { body, headline, type Notice, type Way } from './notice.js';

const answerMs = 30_000;

/** @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) for a site without a mail server */
export function mailWay(settings: Settings): Way {
  const { alarmMail, mailUrl, mailFrom, timezone } = settings;
  if (mailUrl === null || mailFrom === null) {
    const missing = mailUrl === null ? 'mailUrl' : 'mailFrom';
    throw new BadConfigError('the settings', 'alarmMail', `it needs ${missing}, which is not set`);
  }
  const server = parseMailUrl(mailUrl);
  return {
    name: 'mail',
    most: 100,
    async send(notices, signal) {
      const { createTransport } = await import('nodemailer');
      const timeouts = { connectionTimeout: answerMs, greetingTimeout: answerMs, socketTimeout: answerMs };
      const access = { disableFileAccess: true, disableUrlAccess: true };
      const mailer = createTransport({ ...server, ...timeouts, ...access });
      const { response } = await mailer.sendMail({
        from: mailFrom,
        to: [...alarmMail],
        subject: subjectOf(notices),
        text: notices.map((notice) => body(notice, timezone)).join('\n\n'),
        headers: { 'Auto-Submitted': 'auto-generated' },
        messageId: `<${notices[0]?.id}@${notices[0]?.site}.linod>`,
        signal,
      });
      return response;
    },
  };
}

function subjectOf(notices: readonly Notice[]): string {
  const [first, ...others] = notices;
  if (first === undefined) return '';
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `[linod] ${headline(first).slice(0, 150)}${more}`;
}
