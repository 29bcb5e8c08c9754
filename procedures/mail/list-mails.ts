// Lists and retries mails of the outbox, for commands.

import type { SiteDatabase } from '../store/open.js';
import type { MailStatus, OutboxMailRow } from '../store/tables.js';

/** A mail without its content. */
export interface QueuedMail {
  readonly id: number;
  readonly state: MailStatus;
  readonly to: string;
  readonly subject: string;
  readonly urgency: string;
  readonly owner: string | null;
  readonly messageId: string;
  readonly queuedAt: Date;
  readonly attempts: number;
  /** Null when there are no more attempts. */
  readonly nextAttemptAt: Date | null;
  /** The last answer of the server. */
  readonly answer: string | null;
  readonly doneAt: Date | null;
  /** The digest that contains it. */
  readonly digest: number | null;
}

/** Mails in some states, the newest first. @param before only mails with a lower number */
export async function listMails(
  db: SiteDatabase,
  states: readonly MailStatus[],
  limit: number,
  before = Number.MAX_SAFE_INTEGER,
): Promise<QueuedMail[]> {
  const rows = await db
    .selectFrom('outbox_mails')
    .select([
      'id',
      'status',
      'recipient',
      'subject',
      'urgency',
      'owner',
      'message_id',
      'queued_at',
      'attempts',
    ])
    .select(['next_attempt_at', 'answer', 'done_at', 'digest_id'])
    .where('status', 'in', states)
    .where('id', '<', before)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    state: row.status,
    to: row.recipient,
    subject: row.subject,
    urgency: row.urgency,
    owner: row.owner,
    messageId: row.message_id,
    queuedAt: new Date(row.queued_at),
    attempts: row.attempts,
    nextAttemptAt: ['queued', 'deferred'].includes(row.status) ? new Date(row.next_attempt_at) : null,
    answer: row.answer,
    doneAt: row.done_at === null ? null : new Date(row.done_at),
    digest: row.digest_id,
  }));
}

/** The number of mails in each state. */
export async function countMails(db: SiteDatabase): Promise<Array<{ state: MailStatus; count: number }>> {
  return await db
    .selectFrom('outbox_mails')
    .select((eb) => ['status as state', eb.fn.countAll<number>().as('count')])
    .groupBy('status')
    .orderBy('status')
    .execute();
}

/**
 * Queues failed or deferred mails for the next run, with all attempts: a person has solved the problem. A
 * mail that may have been sent is sent again, too.
 *
 * @param ids numbers of mails, or all
 * @returns the numbers of the mails
 */
export async function retryMails(
  db: SiteDatabase,
  ids: readonly number[] | 'all',
  now: Date,
): Promise<number[]> {
  const rows = await db
    .updateTable('outbox_mails')
    .set({ status: 'queued', attempts: 0, interruptions: 0, done_at: null, next_attempt_at: now.getTime() })
    .where('status', 'in', ['failed', 'deferred'])
    .$if(ids !== 'all', (query) => query.where('id', 'in', ids === 'all' ? [] : ids))
    .returning('id')
    .execute();
  return rows.map((row) => row.id).toSorted((a, b) => a - b);
}

/** One mail with its content; undefined when it does not exist. */
export async function findMail(db: SiteDatabase, id: number): Promise<OutboxMailRow | undefined> {
  return await db.selectFrom('outbox_mails').selectAll().where('id', '=', id).executeTakeFirst();
}
