// The ways on which messages reach users besides the application's own pages.

import type { Kysely } from 'kysely';
import * as v from 'valibot';
import { type BaseRequest, type Database, LinodError } from '../../src/index.js';
import { Registry } from '../registry.js';
import type { ProcedureTables, UserMessageRow } from '../store/tables.js';

/** A transaction on the site's database, with the procedures' tables. */
export type WayTransaction = Kysely<Database & ProcedureTables>;

/** A way on which messages reach users. `mail`, `digest` and `push` ship. */
export interface NotificationWay {
  /** What users' choices call it. */
  readonly name: string;
  /**
   * Takes a message over: writes what is to be sent into a queue, in the transaction that notes that it was taken
   * over. It sends nothing itself: the transaction may be begun again.
   *
   * What it throws leaves the message for a later attempt, an {@link UndeliverableError} does not.
   */
  deliver(message: UserMessageRow, tx: WayTransaction, ar: BaseRequest): void | Promise<void>;
  /** The name of the procedure that sends what is in the queue: when something is new there, it is run at once. */
  readonly sender?: string | undefined;
}

/** A message cannot go this way, now or later: its user has no address. It stays in the application. */
export class UndeliverableError extends LinodError {
  constructor(why: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_UNDELIVERABLE', why, options);
  }
}

export const notificationWays = new Registry<NotificationWay>(
  'notification way',
  v.looseObject({ deliver: v.function() }),
);

/**
 * Adds a way on which messages reach users.
 *
 * @returns takes it back
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`)
 * @example
 * registerNotificationWay({
 *   name: 'sms',
 *   deliver: async (message, tx) => {
 *     await tx.withTables<Shop>().insertInto('sms_queue').values({ user: message.user, text: message.subject }).execute();
 *   },
 * });
 */
export function registerNotificationWay(way: NotificationWay): () => void {
  return notificationWays.add(way);
}
