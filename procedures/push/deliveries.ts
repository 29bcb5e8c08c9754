// The table of deliveries: which are claimed, and what is written about them.
//
// Between the push service's yes and the mark there is a moment in which this process may die. A delivery whose job has
// ended while it was in hand is therefore sent once more, under the same topic and id; if that is interrupted, too, it
// is given up: one copy too many is bearable, one at each crash is not.

import { type BaseRequest, sql, transact } from '../../src/index.js';
import { isOrphan } from '../store/held.js';
import type { SiteDatabase } from '../store/open.js';
import type { PushDeliveryRow, PushMessageRow, PushSubscriptionRow } from '../store/tables.js';

/** A delivery that this job has in hand. */
export interface Delivery extends PushDeliveryRow {
  readonly message: PushMessageRow;
  /** Undefined: it is gone. */
  readonly subscription: PushSubscriptionRow | undefined;
}

const ownJobEnded = 'this job ended while it was being sent, so that it may have been sent';
const givenUp = 'given up: two jobs ended while they were sending it, so that it may have been sent twice';

/** Whatever jobs had in hand that run no more waits again, once. @returns of how many this is news */
export async function takeBack(ar: BaseRequest, db: SiteDatabase): Promise<number> {
  const orphans = await db
    .selectFrom('push_deliveries')
    .select(['id', 'job_id', 'interruptions'])
    .where('status', '=', 'sending')
    .where(isOrphan('push_deliveries.job_id'))
    .execute();
  for (const { id, job_id, interruptions } of orphans) {
    await putBack(
      ar,
      db,
      { id, job_id, interruptions },
      `job ${job_id} ended while it was sending it, so that it may have been sent`,
    );
  }
  return orphans.length;
}

/** A delivery that this run has in hand, and must leave. */
export async function giveBack(ar: BaseRequest, db: SiteDatabase, delivery: Delivery): Promise<void> {
  await putBack(ar, db, delivery, ownJobEnded);
}

/** Takes some of those in hand that are due, the longest waiting first. Of two jobs that want the same, one gets it. */
export async function claim(
  ar: BaseRequest,
  db: SiteDatabase,
  limit: number,
  upTo: number,
): Promise<Delivery[]> {
  const next = db
    .selectFrom('push_deliveries')
    .select('id')
    .where('status', '=', 'pending')
    .where('next_attempt_at', '<=', upTo)
    .orderBy('next_attempt_at')
    .orderBy('id')
    .limit(limit)
    .forUpdate()
    .skipLocked();
  const claimed = await db
    .updateTable('push_deliveries')
    .set({ status: 'sending', job_id: ar.jobId })
    .where('id', 'in', next)
    .where('status', '=', 'pending')
    .returningAll()
    .execute();
  if (claimed.length === 0) return [];
  const messages = await db
    .selectFrom('push_messages')
    .selectAll()
    .where(
      'id',
      'in',
      claimed.map((row) => row.message_id),
    )
    .execute();
  const subscriptions = await db
    .selectFrom('push_subscriptions')
    .selectAll()
    .where(
      'id',
      'in',
      claimed.map((row) => row.subscription_id),
    )
    .execute();
  const messageById = new Map(messages.map((message) => [message.id, message]));
  const subscriptionById = new Map(subscriptions.map((subscription) => [subscription.id, subscription]));
  return claimed
    .sort((a, b) => a.next_attempt_at - b.next_attempt_at || a.id - b.id)
    .flatMap((row) => {
      // A message cannot be deleted without its deliveries.
      const message = messageById.get(row.message_id);
      return message === undefined
        ? []
        : [{ ...row, message, subscription: subscriptionById.get(row.subscription_id) }];
    });
}

/** It was taken by the push service. */
export async function markSent(
  ar: BaseRequest,
  db: SiteDatabase,
  delivery: Delivery,
  answer: string,
): Promise<void> {
  const now = ar.now().getTime();
  await transact(db, async (tx) => {
    await mark(ar, tx, delivery, { status: 'sent', done_at: now, answer, attempts: delivery.attempts + 1 });
    await tx
      .updateTable('push_subscriptions')
      .set({ sent_at: now })
      .where('id', '=', delivery.subscription_id)
      .execute();
  });
}

/** It is not tried again. */
export async function markFailed(
  ar: BaseRequest,
  db: SiteDatabase,
  delivery: Delivery,
  answer: string,
): Promise<void> {
  const attempts = delivery.attempts + 1;
  await mark(ar, db, delivery, { status: 'failed', done_at: ar.now().getTime(), answer, attempts });
}

/** It failed, and is tried again. */
export async function markForLater(
  ar: BaseRequest,
  db: SiteDatabase,
  delivery: Delivery,
  answer: string,
  at: number,
): Promise<void> {
  const attempts = delivery.attempts + 1;
  await mark(ar, db, delivery, { status: 'pending', next_attempt_at: at, answer, attempts });
}

/** The push service wants to be left alone until then: with what is for this subscription, or with everything. */
export async function putOff(
  ar: BaseRequest,
  db: SiteDatabase,
  delivery: Delivery,
  {
    answer,
    at,
    whom,
  }: { readonly answer: string; readonly at: number; readonly whom: 'subscription' | 'service' },
): Promise<void> {
  await transact(db, async (tx) => {
    await mark(ar, tx, delivery, { status: 'pending', next_attempt_at: at, answer });
    const origin = delivery.subscription?.origin ?? '';
    await tx
      .updateTable('push_deliveries')
      .set({ next_attempt_at: at })
      .where('status', '=', 'pending')
      .where('next_attempt_at', '<', at)
      .$if(whom === 'subscription', (query) => query.where('subscription_id', '=', delivery.subscription_id))
      .$if(whom === 'service', (query) =>
        query.where('subscription_id', 'in', (eb) =>
          eb.selectFrom('push_subscriptions').select('id').where('origin', '=', origin),
        ),
      )
      .execute();
  });
}

/** The subscription is of no use: it goes, or stays as broken for people to see, and all that waits for it is given up. */
export async function dropSubscription(
  ar: BaseRequest,
  db: SiteDatabase,
  delivery: Delivery,
  how: 'gone' | 'broken',
  answer: string,
): Promise<void> {
  await transact(db, async (tx) => {
    await markFailed(ar, tx, delivery, answer);
    // Not if it was made anew meanwhile, under the same endpoint.
    const { p256dh = '', auth = '' } = delivery.subscription ?? {};
    const same = { id: delivery.subscription_id, p256dh, auth };
    if (how === 'gone') {
      await tx
        .deleteFrom('push_subscriptions')
        .where((eb) => eb.and(same))
        .execute();
    } else {
      await tx
        .updateTable('push_subscriptions')
        .set({ state: 'broken', problem: answer })
        .where((eb) => eb.and(same))
        .execute();
    }
    await tx
      .updateTable('push_deliveries')
      .set({ status: 'failed', done_at: ar.now().getTime(), answer })
      .where('status', '=', 'pending')
      .where('subscription_id', '=', delivery.subscription_id)
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('push_subscriptions')
              .select('push_subscriptions.id')
              .whereRef('push_subscriptions.id', '=', 'push_deliveries.subscription_id')
              .where('push_subscriptions.state', '=', 'active'),
          ),
        ),
      )
      .execute();
  });
}

type Changes = Partial<Omit<PushDeliveryRow, 'id' | 'job_id'>>;

/** Only what is still this job's: one that was given up meanwhile writes nothing over what came after. */
async function mark(ar: BaseRequest, db: SiteDatabase, { id }: Delivery, changes: Changes): Promise<void> {
  await db
    .updateTable('push_deliveries')
    .set({ ...changes, job_id: null })
    .where('id', '=', id)
    .where('status', '=', 'sending')
    .where('job_id', '=', ar.jobId)
    .execute();
}

async function putBack(
  ar: BaseRequest,
  db: SiteDatabase,
  { id, job_id, interruptions }: Pick<PushDeliveryRow, 'id' | 'job_id' | 'interruptions'>,
  answer: string,
): Promise<void> {
  const now = ar.now().getTime();
  const isSecond = interruptions > 0;
  await db
    .updateTable('push_deliveries')
    .set({ job_id: null, interruptions: sql`interruptions + 1`, answer: isSecond ? givenUp : answer })
    .$if(isSecond, (query) => query.set({ status: 'failed', done_at: now }))
    .$if(!isSecond, (query) => query.set({ status: 'pending', next_attempt_at: now }))
    .where('id', '=', id)
    .where('status', '=', 'sending')
    .where('job_id', job_id === null ? 'is' : '=', job_id)
    .execute();
}
