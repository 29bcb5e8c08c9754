// Lists push deliveries and their results.

import { type AnyKysely, procedureTables } from '../store/open.js';
import type { PushDeliveryStatus } from '../store/tables.js';

export const deliveryStatuses: readonly PushDeliveryStatus[] = ['pending', 'sending', 'sent', 'failed'];

/** A delivery; times are ISO 8601. */
export interface ListedDelivery {
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
  { limit, status }: { readonly limit: number; readonly status: PushDeliveryStatus | undefined },
): Promise<ListedDelivery[]> {
  const rows = await procedureTables(db)
    .selectFrom('push_deliveries as d')
    .innerJoin('push_messages as m', 'm.id', 'd.message_id')
    .leftJoin('push_subscriptions as s', 's.id', 'd.subscription_id')
    .selectAll('d')
    .select(['m.queued_at', 's.user as subscriber'])
    .$if(status !== undefined, (query) => query.where('d.status', '=', status ?? 'pending'))
    .orderBy('d.id', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
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
