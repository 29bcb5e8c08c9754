// The outbox of pushes: its parameters, and one attempt at one delivery.

import { type BaseRequest, sql } from '../../src/index.js';
import { ClaimLostError, type OutboxKind, type Verdict } from '../outbox/outbox.js';
import { sendPending, type Transport } from '../outbox/send-pending.js';
import { headline } from '../shared/failures.js';
import type { SiteDatabase } from '../store/open.js';
import type { PushDeliveryRow, PushMessageRow, PushSubscriptionRow } from '../store/tables.js';
import { PrivateAddressError } from './addresses.js';
import { Poster, type PushAnswer } from './post.js';
import {
  BrokenSubscriptionError,
  loadWebPush,
  type VapidDetails,
  vapidDetails,
  type WebPush,
} from './web-push.js';

/** The maximum number of parallel deliveries. */
const connections = 16;
const timeoutMs = 10_000;
/** How long running deliveries may take after the run was aborted; less than a run's usual grace period. */
const abortGraceMs = 2000;
/** Bounds for the pauses that push services ask for. */
const leastPauseMs = 1000;
const longestRetryAfterMs = 86_400_000;

export const pushes: OutboxKind<PushDeliveryRow> = {
  table: 'push_deliveries',
  one: 'push',
  many: 'pushes',
  isWaiting: sql`status = 'pending'`,
  waiting: () => 'pending',
  maxAttempts: 10,
  maxCopies: 2,
  // 15 s, a minute, four… up to an hour.
  pauseAfter: (attempt) => Math.min(15_000 * 4 ** (attempt - 1), 3_600_000),
  nameOf: ({ message_id: push, subscription_id: id }) => `push ${push} to subscription ${id}`,
};

/** Sends the due pushes. */
export async function sendPushes(ar: BaseRequest, db: SiteDatabase): Promise<void> {
  await sendPending(ar, db, pushes, async () => {
    const webPush = await loadWebPush();
    return new PushTransport(ar, db, webPush, vapidDetails(ar.site.settings));
  });
}

/** One run's connection to the push services. */
class PushTransport implements Transport<PushDeliveryRow> {
  readonly connections = connections;
  readonly #ar: BaseRequest;
  readonly #db: SiteDatabase;
  readonly #webPush: WebPush;
  readonly #vapid: VapidDetails;
  readonly #poster: Poster;
  readonly #cut = new AbortController();
  readonly #onAbort: () => void;

  constructor(ar: BaseRequest, db: SiteDatabase, webPush: WebPush, vapid: VapidDetails) {
    this.#ar = ar;
    this.#db = db;
    this.#webPush = webPush;
    this.#vapid = vapid;
    const allowPrivate = ar.site.settings.pushToPrivateAddresses;
    this.#poster = new Poster({ allowPrivate, connections, timeoutMs });
    this.#onAbort = () => void setTimeout(() => this.#cut.abort(ar.signal.reason), abortGraceMs).unref();
    ar.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  close(): void {
    this.#ar.signal.removeEventListener('abort', this.#onAbort);
    this.#poster.close();
  }

  async attempt(row: PushDeliveryRow, handOver: () => Promise<void>): Promise<Verdict> {
    const { message_id: messageId, subscription_id: subscriptionId } = row;
    const ofMessage = this.#db.selectFrom('push_messages').selectAll().where('id', '=', messageId);
    const message = await ofMessage.executeTakeFirstOrThrow();
    const ofId = this.#db.selectFrom('push_subscriptions').selectAll().where('id', '=', subscriptionId);
    const subscription = await ofId.executeTakeFirst();
    if (subscription === undefined) return { kind: 'refused', answer: 'its subscription was removed' };
    // A shared browser is subscribed for its last user.
    if (message.user !== null && message.user !== subscription.user)
      return { kind: 'refused', answer: 'its subscription belongs to another user now' };
    if (subscription.state === 'broken')
      return { kind: 'refused', answer: subscription.problem ?? 'its subscription is broken' };
    if (message.expires_at <= this.#now)
      return { kind: 'refused', answer: 'its lifetime ended before it could be sent' };
    try {
      return await this.#post(message, subscription, handOver);
    } catch (error) {
      if (error instanceof BrokenSubscriptionError || error instanceof PrivateAddressError) {
        return this.#drop(subscription, 'broken', error.message);
      }
      if (error instanceof ClaimLostError) return { kind: 'ended', answer: error.message };
      if (this.#cut.signal.aborted) return { kind: 'in doubt', answer: 'the run ended during the attempt' };
      return { kind: 'deferred', answer: headline(error), at: message.expires_at };
    }
  }

  get #now(): number {
    return this.#ar.now().getTime();
  }

  async #post(
    message: PushMessageRow,
    subscription: PushSubscriptionRow,
    handOver: () => Promise<void>,
  ): Promise<Verdict> {
    const ttlSeconds = Math.floor((message.expires_at - this.#now) / 1000);
    const request = this.#webPush.requestFor(subscription, message, ttlSeconds, this.#vapid);
    await handOver();
    const said = judge(await this.#poster.post(request, this.#cut.signal), this.#now);
    const { answer } = said;
    switch (said.kind) {
      case 'sent':
        return { kind: 'sent', answer, also: async (tx) => await recordSent(tx, subscription, this.#now) };
      case 'gone':
        return this.#drop(subscription, 'gone', answer);
      case 'refused':
        return { kind: 'refused', answer };
      case 'failed':
        return { kind: 'deferred', answer, at: message.expires_at };
      case 'later':
        return { kind: 'postponed', answer, at: said.at };
    }
  }

  #drop(subscription: PushSubscriptionRow, how: 'gone' | 'broken', answer: string): Verdict {
    const next = how === 'gone' ? 'the subscription is removed' : 'the subscription is broken';
    const also = (tx: SiteDatabase) => dropSubscription(tx, subscription, how, answer);
    return { kind: 'refused', answer, next, also };
  }
}

async function recordSent(tx: SiteDatabase, { id }: PushSubscriptionRow, now: number): Promise<void> {
  await tx.updateTable('push_subscriptions').set({ sent_at: now }).where('id', '=', id).execute();
}

/** Deletes a useless subscription, or marks it as broken for people to see. */
async function dropSubscription(
  tx: SiteDatabase,
  { id, p256dh, auth }: PushSubscriptionRow,
  how: 'gone' | 'broken',
  problem: string,
): Promise<void> {
  // Not if the browser has renewed it meanwhile, under the same endpoint.
  const same = { id, p256dh, auth };
  if (how === 'gone') {
    const gone = tx.deleteFrom('push_subscriptions').where((eb) => eb.and(same));
    await gone.execute();
  } else {
    const broken = tx.updateTable('push_subscriptions').set({ state: 'broken', problem });
    await broken.where((eb) => eb.and(same)).execute();
  }
}

/** Deletes pushes without remaining deliveries. */
export async function clearOldPushes(db: SiteDatabase, queuedBefore: number): Promise<void> {
  await db
    .deleteFrom('push_messages')
    .where('queued_at', '<', queuedBefore)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('push_deliveries').select('id').whereRef('message_id', '=', 'push_messages.id'))),
    )
    .execute();
}

/**
 * The meaning of a push service's answer. sent: accepted. gone: the subscription no longer exists. refused:
 * another attempt is useless. later: not before `at`, as the push service says. failed: try again after a
 * pause.
 */
export type Judgement =
  | { readonly kind: 'sent' | 'gone' | 'refused' | 'failed'; readonly answer: string }
  | { readonly kind: 'later'; readonly answer: string; readonly at: number };

/** Source: RFC 8030, 5 and 8.4; RFC 9110, 15. */
export function judge({ status, retryAfter, text }: PushAnswer, now: number): Judgement {
  const answer = `${status} ${text}`.trim();
  if (status >= 200 && status < 300) return { kind: 'sent', answer };
  if (status === 404 || status === 410) return { kind: 'gone', answer };
  const at = status === 429 || status === 503 ? retryAt(retryAfter, now) : undefined;
  if (at !== undefined) return { kind: 'later', answer, at };
  const isPassing = status === 408 || status === 425 || status === 429 || status >= 500;
  return { kind: isPassing ? 'failed' : 'refused', answer };
}

/** The instant of a header `Retry-After`, which has seconds or a date. Source: RFC 9110, 10.2.3. */
export function retryAt(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  // Date.parse would also accept `-5` as a date.
  const date = /^[A-Za-z]{3,9}, /.test(text) ? Date.parse(text) : Number.NaN;
  const at = /^\d+$/.test(text) ? now + Number(text) * 1000 : date;
  if (Number.isNaN(at)) return undefined;
  return Math.min(Math.max(at, now + leastPauseMs), now + longestRetryAfterMs);
}
