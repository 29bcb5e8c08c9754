// Mails to send: written by an application, in its own transaction, and sent in the background.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { LinodError } from '../../src/index.js';
import { type AnyKysely, procedureTables } from '../store/open.js';

export interface NewMail {
  /** One address, `ann@example.org` or `Ann <ann@example.org>`. */
  readonly to: string;
  /** Default: the transport's own. */
  readonly from?: string | undefined;
  readonly subject: string;
  readonly text: string;
  readonly html?: string | undefined;
  /** often, the default: within seconds. daily: as a part of the recipient's daily digest. */
  readonly urgency?: 'often' | 'daily' | undefined;
  /** What the mail belongs to, `order 17`. */
  readonly owner?: string | undefined;
  /** Default: now. */
  readonly at?: Date | undefined;
}

/** A mail was refused before it was queued. */
export class InvalidMailError extends LinodError {
  readonly field: string;

  constructor(field: string, problem: string) {
    super('LINOD_ERR_INVALID_MAIL', `mail: ${field}: ${problem}`);
    this.field = field;
  }
}

/**
 * Queues a mail, in the table `outbox_mails`. Its `Message-ID` is made here, so that a mail which has to be sent
 * twice can be told by it.
 *
 * @param db a Kysely or a transaction on the site's database
 * @returns the mail's number
 * @throws InvalidMailError (`LINOD_ERR_INVALID_MAIL`)
 * @example
 * await queueMail(tx, { to: 'ann@example.org', subject: 'Order 17 was paid', text: 'Thank you.' });
 */
export async function queueMail(db: AnyKysely, mail: NewMail): Promise<number> {
  checkAddress('to', mail.to);
  if (mail.from !== undefined) checkAddress('from', mail.from);
  checkLine('subject', mail.subject);
  const urgency = mail.urgency ?? 'often';
  if (urgency !== 'often' && urgency !== 'daily') {
    throw new InvalidMailError('urgency', `expected often or daily, got: ${JSON.stringify(urgency)}`);
  }
  const at = (mail.at ?? new Date()).getTime();
  const { id } = await procedureTables(db)
    .insertInto('outbox_mails')
    .values({
      ...newMail(at),
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

/** What each mail begins with, of whatever content. */
export function newMail(at: number) {
  return {
    message_id: `<${randomUUID()}@${hostname()}>`,
    queued_at: at,
    next_attempt_at: at,
    status: 'pending',
    attempts: 0,
    interruptions: 0,
  } as const;
}

function checkAddress(field: string, address: string): void {
  checkLine(field, address);
  if (!/^[^@]*[^@\s<]@[^@\s>]+>?$/.test(address)) {
    throw new InvalidMailError(field, `expected one mail address, got: ${JSON.stringify(address)}`);
  }
}

/** A line break in a header would let a text add headers of its own. */
function checkLine(field: string, text: string): void {
  if (typeof text !== 'string' || /[\r\n\0]/.test(text)) {
    throw new InvalidMailError(field, `expected a text of one line, got: ${JSON.stringify(text)}`);
  }
}
