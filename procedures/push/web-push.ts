// The package `web-push`, which encrypts and signs. It is an optional peer dependency, since most sites send
// no pushes.
//
// Only its preparation of requests is used; post.ts sends them. The package's own sending cannot avoid
// private addresses, use a push service on the same machine, or keep connections alive.

import { createECDH } from 'node:crypto';
import { BadConfigError, LinodError, type Settings } from '../../src/index.js';
import type { PushMessageRow, PushSubscriptionRow } from '../store/tables.js';

/** The package `web-push` is not installed. */
export class MissingWebPushError extends LinodError {
  constructor(cause: unknown) {
    super('LINOD_ERR_MISSING_PACKAGE', 'push needs the package web-push: npm install web-push', { cause });
  }
}

/** The keys of a subscription are invalid, so nothing can be encrypted for it. */
export class BrokenSubscriptionError extends LinodError {
  constructor(problem: string, cause: unknown) {
    super('LINOD_ERR_BROKEN_SUBSCRIPTION', problem, { cause });
  }
}

/** A request to post. */
export interface PushRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Buffer;
}

/** The used part of the package. */
export interface WebPush {
  /** @throws BrokenSubscriptionError (`LINOD_ERR_BROKEN_SUBSCRIPTION`) for invalid keys */
  requestFor(
    subscription: Pick<PushSubscriptionRow, 'endpoint' | 'p256dh' | 'auth'>,
    message: Pick<PushMessageRow, 'payload' | 'topic' | 'urgency'>,
    ttlSeconds: number,
    vapid: VapidDetails,
  ): PushRequest;
  /** A new pair of keys, as base64url. */
  generateKeys(): { readonly publicKey: string; readonly privateKey: string };
}

/** @throws MissingWebPushError (`LINOD_ERR_MISSING_PACKAGE`) */
export async function loadWebPush(): Promise<WebPush> {
  const { default: webPush } = await import('web-push').catch((error: unknown) => {
    throw new MissingWebPushError(error);
  });
  return {
    requestFor({ endpoint, p256dh, auth }, { payload, topic, urgency }, ttlSeconds, vapidDetails) {
      try {
        const { headers, body } = webPush.generateRequestDetails(
          { endpoint, keys: { p256dh, auth } },
          payload,
          {
            TTL: ttlSeconds,
            topic,
            urgency,
            vapidDetails,
          },
        );
        return { url: new URL(endpoint), headers: headers as PushRequest['headers'], body };
      } catch (error) {
        throw new BrokenSubscriptionError(error instanceof Error ? error.message : String(error), error);
      }
    },
    generateKeys: () => webPush.generateVAPIDKeys(),
  };
}

/** The sender, and the keys by which push services recognise the site. Source: RFC 8292. */
export interface VapidDetails {
  /** The contact for push services: `mailto:` or `https:`. */
  readonly subject: string;
  readonly publicKey: string;
  readonly privateKey: string;
}

type VapidSettings = Pick<Settings, 'vapidSubject' | 'vapidPublicKey' | 'vapidPrivateKey'>;

/**
 * The keys of a site.
 *
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) when one is missing, or they are not a pair
 */
export function vapidDetails(settings: VapidSettings): VapidDetails {
  const { vapidSubject: subject, vapidPublicKey: publicKey, vapidPrivateKey: privateKey } = settings;
  const given = { vapidSubject: subject, vapidPublicKey: publicKey, vapidPrivateKey: privateKey };
  const missing = Object.entries(given).flatMap(([key, value]) => (value === '' ? [key] : []));
  const bad = (key: string | undefined, problem: string) =>
    new BadConfigError('the settings', key, `${problem}; create a pair of keys with \`linod push keys\``);
  if (missing.length > 0) throw bad(undefined, `push needs ${missing.join(', ')}`);
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(privateKey, 'base64url');
  if (pair.getPublicKey('base64url') !== publicKey)
    throw bad('vapidPublicKey', 'is not the public key of vapidPrivateKey');
  return { subject, publicKey, privateKey };
}
