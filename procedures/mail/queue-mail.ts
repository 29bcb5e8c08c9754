// Queues mails in the application's own transaction. A procedure sends them in the background.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type AnyKysely, procedureTables } from '../store/open.js';
import { checkContent, checkLine, InvalidMailError, parseAddress } from './addresses.js';

export interface NewMail {
  /** One address, `ann@example.org` or `Ann <ann@example.org>`. */
  readonly to: string;
  /** Default: the setting `mailFrom`, or the transport's own. */
  readonly from?: string | undefined;
  readonly subject: string;
  readonly text: string;
  readonly html?: string | undefined;
  /** often (default): sent within seconds. daily: part of the recipient's daily digest. */
  readonly urgency?: 'often' | 'daily' | undefined;
  /** What the mail belongs to, `order 17`. */
  readonly owner?: string | undefined;
  /** The date of the mail. Default: now. */
  readonly at?: Date | undefined;
}

/**
 * Queues a mail in the table `outbox_mails`. The mail gets its `Message-ID` here, so that receivers can
 * recognise a mail that is sent twice.
 *
 * @param db a Kysely or a transaction on the site's database
 * @returns the mail's number
 * @throws InvalidMailError (`LINOD_ERR_INVALID_MAIL`), before anything is written
 * @example
 * await queueMail(tx, { to: 'ann@example.org', subject: 'Order 17 was paid', text: 'Thank you.' });
 */
export async function queueMail(db: AnyKysely, mail: NewMail): Promise<number> {
  parseAddress('to', mail.to);
  if (mail.from !== undefined) parseAddress('from', mail.from);
  checkLine('subject', mail.subject);
  checkContent('text', mail.text);
  if (mail.html !== undefined) checkContent('html', mail.html);
  const urgency = mail.urgency ?? 'often';
  if (urgency !== 'often' && urgency !== 'daily') {
    throw new InvalidMailError('urgency', `expected often or daily, got: ${JSON.stringify(urgency)}`);
  }
  const at = (mail.at ?? new Date()).getTime();
  const { id } = await procedureTables(db)
    .insertInto('outbox_mails')
    .values({
      ...newMail(at, mail.from),
      recipient: mail.to,
      sender: mail.from ?? null,
      subject: mail.subject,
      text: mail.text,
      html: mail.html ?? null,
      urgency,
      owner: mail.owner ?? null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** The initial values of every mail. */
export function newMail(at: number, from?: string | null) {
  const domain = /@([^@\s>]+)>?$/.exec(from ?? '')?.[1] ?? hostname();
  return {
    message_id: `<${randomUUID()}@${domain}>`,
    queued_at: at,
    next_attempt_at: at,
    status: 'queued',
    attempts: 0,
    interruptions: 0,
  } as const;
}
