// Messages to users, written by an application and kept until they were seen.

import { type AnyKysely, procedureTables } from '../store/open.js';

export interface NewMessage {
  /** The user, as the application names its users. */
  readonly to: string;
  readonly subject: string;
  /** Default: empty. */
  readonly body?: string | undefined;
  /** What the message is about, one word for programs; default `message`. */
  readonly kind?: string | undefined;
  /** What the message belongs to, `order 17`. */
  readonly owner?: string | undefined;
  /** Default: now. */
  readonly at?: Date | undefined;
}

/**
 * Writes a message for a user, in the table `user_messages`.
 *
 * @param db a Kysely or a transaction on the site's database
 * @returns the message's number
 * @example
 * await notify(tx, { to: 'ann', subject: 'Order 17 was paid', owner: 'order 17' });
 */
export async function notify(db: AnyKysely, message: NewMessage): Promise<number> {
  const { id } = await procedureTables(db)
    .insertInto('user_messages')
    .values({
      user: message.to,
      subject: message.subject,
      body: message.body ?? '',
      kind: message.kind ?? 'message',
      owner: message.owner ?? null,
      created_at: (message.at ?? new Date()).getTime(),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/**
 * Marks messages of a user as seen: those with these numbers, or all. Messages of other users are left alone,
 * whatever the numbers, and one that was seen before keeps its time.
 *
 * @returns how many were marked
 */
export async function markMessagesSeen(
  db: AnyKysely,
  user: string,
  ids: readonly number[] | 'all',
  at: Date = new Date(),
): Promise<number> {
  const { numUpdatedRows } = await procedureTables(db)
    .updateTable('user_messages')
    .set({ seen_at: at.getTime() })
    .where('user', '=', user)
    .where('seen_at', 'is', null)
    .$if(ids !== 'all', (query) => query.where('id', 'in', ids === 'all' ? [] : ids))
    .executeTakeFirst();
  return Number(numUpdatedRows);
}
