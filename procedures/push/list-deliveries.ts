// Lists push deliveries and their results.

import { type AnyKysely, procedureTables } from '../store/open.js';
import type { PushDeliveryStatus, PushMessageRow } from '../store/tables.js';

export const deliveryStatuses: readonly PushDeliveryStatus[] = ['pending', 'sending', 'sent', 'failed'];

/** A delivery; times are ISO 8601. */
export interface ListedDelivery {
  readonly id: number;
  readonly push: number;
  /** Null: the subscription is gone. */
  readonly user: string | null;
  readonly subscription: number;
  readonly status: PushDeliveryStatus;
  readonly attempts: number;
  readonly queued: string;
  /** The next attempt; null when there is none. */
  readonly next: string | null;
  readonly done: string | null;
  readonly answer: string | null;
}

/** Deliveries, the newest first. */
export async function listDeliveries(
  db: AnyKysely,
  {
    limit,
    status,
    before = Number.MAX_SAFE_INTEGER,
  }: {
    readonly limit: number;
    readonly status: PushDeliveryStatus | undefined;
    /** Only deliveries with a lower id. */
    readonly before?: number;
  },
): Promise<ListedDelivery[]> {
  const rows = await procedureTables(db)
    .selectFrom('push_deliveries as d')
    .innerJoin('push_messages as m', 'm.id', 'd.message_id')
    .leftJoin('push_subscriptions as s', 's.id', 'd.subscription_id')
    .selectAll('d')
    .select(['m.queued_at', 's.user as subscriber'])
    .$if(status !== undefined, (query) => query.where('d.status', '=', status ?? 'pending'))
    .where('d.id', '<', before)
    .orderBy('d.id', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    push: row.message_id,
    user: row.subscriber,
    subscription: row.subscription_id,
    status: row.status,
    attempts: row.attempts,
    queued: new Date(row.queued_at).toISOString(),
    next: row.done_at === null ? new Date(row.next_attempt_at).toISOString() : null,
    done: row.done_at === null ? null : new Date(row.done_at).toISOString(),
    answer: row.answer,
  }));
}

/** Sends a failed delivery again with the next run, with all attempts. @returns whether it had failed */
export async function retryDelivery(db: AnyKysely, id: number, now: Date): Promise<boolean> {
  const { numUpdatedRows } = await procedureTables(db)
    .updateTable('push_deliveries')
    .set({
      status: 'pending',
      attempts: 0,
      interruptions: 0,
      done_at: null,
      next_attempt_at: now.getTime(),
    })
    .where('id', '=', id)
    .where('status', '=', 'failed')
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The message of a delivery; undefined when the delivery does not exist. */
export async function findDelivery(db: AnyKysely, id: number): Promise<PushMessageRow | undefined> {
  return await procedureTables(db)
    .selectFrom('push_deliveries as d')
    .innerJoin('push_messages as m', 'm.id', 'd.message_id')
    .selectAll('m')
    .where('d.id', '=', id)
    .executeTakeFirst();
}
