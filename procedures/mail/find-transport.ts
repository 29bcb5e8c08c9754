// The way for both procedures to the transport, or to the word that there is none.

import type { BaseRequest } from '../../src/index.js';
import type { SiteDatabase } from '../store/open.js';
import type { MailUrgency } from '../store/tables.js';
import { isNews, type MailTransport, mailTransport } from './transport.js';

/**
 * The registered transport. Where there is none and mails wait for it, that is told: the first time as a warning.
 *
 * @param procedure who asks
 */
export async function findTransport(
  ar: BaseRequest,
  db: SiteDatabase,
  procedure: string,
  urgencies: readonly MailUrgency[],
): Promise<MailTransport | undefined> {
  const transport = mailTransport();
  if (transport !== undefined) return transport;
  const { count } = await db
    .selectFrom('outbox_mails')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('status', '=', 'pending')
    .where('urgency', 'in', urgencies)
    .executeTakeFirstOrThrow();
  if (count === 0) {
    ar.debug('no mail waits, and no mail transport is registered');
  } else if (isNews(`missing for ${procedure}`)) {
    ar.warning(`mails wait (${count}): no mail transport is registered; see registerMailTransport`);
  } else {
    ar.debug(`mails wait (${count}) for a mail transport`);
  }
  return undefined;
}
