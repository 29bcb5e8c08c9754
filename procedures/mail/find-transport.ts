// The way for both procedures to who carries mails, or to the word that there is nobody.

import { BadConfigError, type BaseRequest } from '../../src/index.js';
import type { SiteDatabase } from '../store/open.js';
import { isWaiting } from './claims.js';
import { SmtpTransport } from './smtp/smtp-transport.js';
import { isNews, type MailTransport, mailTransport } from './transport.js';

/**
 * Does something with the registered transport, or with connections to the site's mail server, which are closed after
 * it. Where there is neither and mails wait, that is told: the first time as a warning.
 */
export async function withTransport(
  ar: BaseRequest,
  db: SiteDatabase,
  use: (transport: MailTransport) => Promise<void>,
): Promise<void> {
  const registered = mailTransport();
  if (registered !== undefined) return await use(registered);
  let smtp: SmtpTransport;
  try {
    smtp = await openSmtp(ar);
  } catch (error) {
    if (!(error instanceof BadConfigError)) throw error;
    return await tellMissing(ar, db, error.message);
  }
  try {
    await use(smtp);
  } finally {
    smtp.close();
  }
}

async function openSmtp({ site }: BaseRequest): Promise<SmtpTransport> {
  const {
    mailUrl: url,
    mailFrom: from,
    mailConnections: connections,
    mailsPerSecond: perSecond,
  } = site.settings;
  if (url === null)
    throw new BadConfigError(
      site.configFile,
      'mailUrl',
      'names no mail server; or see registerMailTransport',
    );
  if (from === null) throw new BadConfigError(site.configFile, 'mailFrom', 'names no sender for mails');
  return await SmtpTransport.open({ url, from, connections, perSecond });
}

async function tellMissing(ar: BaseRequest, db: SiteDatabase, why: string): Promise<void> {
  const { count } = await db
    .selectFrom('outbox_mails')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where(isWaiting)
    .executeTakeFirstOrThrow();
  if (count === 0) ar.debug('no mail waits, and nobody carries mails');
  else if (isNews('missing')) ar.warning(`mails wait (${count}): ${why}`);
  else ar.debug(`mails wait (${count}): ${why}`);
}
