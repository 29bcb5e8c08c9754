// Messages to users, written in the application's own transaction, and kept until they are seen.

import * as v from 'valibot';
import { LinodError, schemaProblems } from '../../src/index.js';
import { textSchema } from '../shared/registry.js';
import { type AnyKysely, procedureTables } from '../store/open.js';
import type { UserMessageRow } from '../store/tables.js';
import { chosenWays, inApp } from './preferences.js';

export interface NewMessage {
  /** The user, as the application names its users. */
  readonly to: string;
  readonly subject: string;
  /** Plain text. Default: empty. */
  readonly body?: string | undefined;
  /** What the message is about, one word for programs; default `message`. Users choose their ways by kind. */
  readonly kind?: string | undefined;
  /** What the message belongs to, `order 17`. */
  readonly owner?: string | undefined;
  /** Default: now. */
  readonly at?: Date | undefined;
}

const messageSchema = v.object({
  to: v.pipe(textSchema, v.minLength(1)),
  subject: textSchema,
  body: textSchema,
  kind: textSchema,
  owner: v.nullable(textSchema),
});

/** A message was refused before it was written. */
export class InvalidMessageError extends LinodError {
  readonly field: string;

  constructor(field: string, problem: string) {
    super('LINOD_ERR_INVALID_MESSAGE', `message: ${problem}`);
    this.field = field;
  }
}

/**
 * Writes a message for a user in the table `user_messages`, where the application shows it at once. The next
 * run of `send_pending_emails_often` delivers it on the user's other ways, such as mail.
 *
 * @param db a Kysely or a transaction on the site's database
 * @returns the message's number
 * @throws InvalidMessageError (`LINOD_ERR_INVALID_MESSAGE`), before anything is read or written
 * @example
 * await notify(tx, { to: 'ann', subject: 'Order 17 was paid', owner: 'order 17' });
 */
export async function notify(db: AnyKysely, message: NewMessage): Promise<number> {
  const { to, subject, body = '', kind = 'message', owner = null, at = new Date() } = message;
  const [wrong] = schemaProblems(messageSchema, { to, subject, body, kind, owner });
  if (wrong !== undefined) throw new InvalidMessageError(wrong.field, wrong.problem);
  const ways = await chosenWays(db, to, kind);
  const { id } = await procedureTables(db)
    .insertInto('user_messages')
    .values({
      user: to,
      subject,
      body,
      kind,
      owner,
      created_at: at.getTime(),
      in_app: ways.includes(inApp) ? 1 : 0,
      route_at: at.getTime(),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/**
 * Marks messages of a user as seen: those with these numbers, or all. Ignores messages of other users. A
 * message that was seen before keeps its time.
 *
 * @returns how many were marked
 */
export async function markMessagesSeen(
  db: AnyKysely,
  user: string,
  ids: readonly number[] | 'all',
  at: Date = new Date(),
): Promise<number> {
  if (ids.length === 0) return 0;
  const { numUpdatedRows } = await procedureTables(db)
    .updateTable('user_messages')
    .set({ seen_at: at.getTime() })
    .where('user', '=', user)
    .where('seen_at', 'is', null)
    .$if(ids !== 'all', (query) => query.where('id', 'in', ids === 'all' ? [] : ids))
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/**
 * Counts a user's unseen messages, for a badge. Does not count those for users who did not choose `in-app`.
 */
export async function countUnseenMessages(db: AnyKysely, user: string): Promise<number> {
  const { count } = await procedureTables(db)
    .selectFrom('user_messages')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user', '=', user)
    .where('seen_at', 'is', null)
    .where('in_app', '=', 1)
    .executeTakeFirstOrThrow();
  return count;
}

export interface MessageFilter {
  /** Only unseen ones; default false. */
  readonly unseen?: boolean;
  /** Only those with smaller numbers, for the next page. */
  readonly before?: number;
  /** Default 50. */
  readonly limit?: number;
}

/**
 * A user's messages, the newest first.
 *
 * @example
 * const page = await messagesOf(db, 'ann', { limit: 20 });
 * const next = await messagesOf(db, 'ann', { limit: 20, before: page.at(-1)?.id });
 */
export async function messagesOf(
  db: AnyKysely,
  user: string,
  { unseen = false, before, limit = 50 }: MessageFilter = {},
): Promise<UserMessageRow[]> {
  return await procedureTables(db)
    .selectFrom('user_messages')
    .selectAll()
    .where('user', '=', user)
    .where('in_app', '=', 1)
    .$if(unseen, (query) => query.where('seen_at', 'is', null))
    .$if(before !== undefined, (query) => query.where('id', '<', before ?? 0))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}
