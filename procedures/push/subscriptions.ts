// Stores the subscriptions of users' browsers: the results of `PushManager.subscribe`.

import { LinodError } from '../../src/index.js';
import { type AnyKysely, procedureTables } from '../store/open.js';
import type { PushSubscriptionRow } from '../store/tables.js';
import { parseEndpoint } from './addresses.js';

/** A browser's `PushSubscription` as JSON. */
export interface BrowserSubscription {
  readonly endpoint: string;
  readonly keys: { readonly p256dh: string; readonly auth: string };
}

/** A subscription was refused before it was stored. */
export class InvalidSubscriptionError extends LinodError {
  readonly field: string;

  constructor(field: string, problem: string) {
    super('LINOD_ERR_INVALID_SUBSCRIPTION', `push subscription: ${field}: ${problem}`);
    this.field = field;
  }
}

/**
 * Stores a subscription of a user. The same endpoint is the same subscription: it gets the new keys and the
 * new user, and becomes active again.
 *
 * @param db a Kysely or a transaction on the site's database
 * @param device its name for people, `Firefox on Linux`
 * @returns the subscription's number
 * @throws InvalidSubscriptionError (`LINOD_ERR_INVALID_SUBSCRIPTION`)
 * @example
 * await savePushSubscription(db, 'ann', await request.json(), { device: 'Firefox on Linux' });
 */
export async function savePushSubscription(
  db: AnyKysely,
  user: string,
  subscription: BrowserSubscription,
  { device = null, at = new Date() }: { readonly device?: string | null; readonly at?: Date } = {},
): Promise<number> {
  if (typeof user !== 'string' || user === '') {
    throw new InvalidSubscriptionError('user', `expected a user, got: ${JSON.stringify(user)}`);
  }
  const { url, p256dh, auth } = parseSubscription(subscription);
  const values = { user, p256dh, auth, device, state: 'active', problem: null } as const;
  const { id } = await procedureTables(db)
    .insertInto('push_subscriptions')
    .values({ ...values, endpoint: url.href, origin: url.origin, created_at: at.getTime(), sent_at: null })
    .onConflict((conflict) => conflict.column('endpoint').doUpdateSet(values))
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/**
 * Removes a subscription by its endpoint or its number. Its pending deliveries are given up.
 *
 * @returns whether it existed
 */
export async function removePushSubscription(db: AnyKysely, which: string | number): Promise<boolean> {
  const { numDeletedRows } = await procedureTables(db)
    .deleteFrom('push_subscriptions')
    .where(typeof which === 'number' ? 'id' : 'endpoint', '=', which)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** The subscriptions of a user, or of all, in the order of their creation. */
export async function pushSubscriptions(db: AnyKysely, user?: string): Promise<PushSubscriptionRow[]> {
  return await procedureTables(db)
    .selectFrom('push_subscriptions')
    .selectAll()
    .$if(user !== undefined, (query) => query.where('user', '=', user ?? ''))
    .orderBy('id')
    .execute();
}

function parseSubscription(subscription: unknown): { url: URL; p256dh: string; auth: string } {
  if (!isRecord(subscription)) {
    throw new InvalidSubscriptionError('value', `expected an object, got: ${JSON.stringify(subscription)}`);
  }
  const url = parseEndpoint(subscription.endpoint);
  if (typeof url === 'string') throw new InvalidSubscriptionError('endpoint', url);
  const keys = isRecord(subscription.keys) ? subscription.keys : {};
  // RFC 8291, 3.1 and 3.2.
  const p256dh = parseKey('keys.p256dh', keys.p256dh, 65, 'a public key on P-256, 65 bytes');
  const auth = parseKey('keys.auth', keys.auth, 16, 'a secret of 16 bytes');
  return { url, p256dh, auth };
}

/** Errors do not show the secret text. */
function parseKey(field: string, text: unknown, bytes: number, what: string): string {
  const isBase64 = typeof text === 'string' && /^[\w+/-]+={0,2}$/.test(text);
  const key = isBase64 ? Buffer.from(text, 'base64url') : Buffer.alloc(0);
  if (key.length !== bytes) {
    throw new InvalidSubscriptionError(field, `expected ${what}, as base64url; got ${key.length} bytes`);
  }
  return key.toString('base64url');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
