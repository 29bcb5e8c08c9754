// The ways on which messages reach users outside the application's own pages.

import type { Kysely } from 'kysely';
import * as v from 'valibot';
import { type BaseRequest, type Database, LinodError } from '../../src/index.js';
import { Registry } from '../shared/registry.js';
import type { ProcedureTables, UserMessageRow } from '../store/tables.js';

/** A transaction on the site's database, with the procedures' tables. */
export type WayTransaction = Kysely<Database & ProcedureTables>;

/** A way on which messages reach users. `mail`, `digest` and `push` are built in. */
export interface NotificationWay {
  /** Its name in users' choices. */
  readonly name: string;
  /**
   * Accepts a message: queues what is to be sent, in the transaction that records the acceptance. It must not
   * send anything itself, because the transaction may be retried.
   *
   * After an error the message is tried again later, except after an {@link UndeliverableError}.
   */
  deliver(message: UserMessageRow, tx: WayTransaction, ar: BaseRequest): void | Promise<void>;
  /** The name of the procedure that sends the queue; it runs as soon as a message is queued. */
  readonly sender?: string | undefined;
}

/** A message cannot go this way at all: its user has no address. It stays in the application. */
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
 * Registers a way on which messages reach users.
 *
 * @returns a function that removes it
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`)
 * @example
 * registerNotificationWay({
 *   name: 'sms',
 *   deliver: async ({ user, subject: text }, tx) => {
 *     await tx.withTables<Shop>().insertInto('sms_queue').values({ user, text }).execute();
 *   },
 * });
 */
export function registerNotificationWay(way: NotificationWay): () => void {
  return notificationWays.add(way);
}
