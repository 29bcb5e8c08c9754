// The package that encrypts: `web-push`, an optional peer dependency, since most sites send no pushes.
//
// Of it only the making of requests is used. Posting them is done here (post.ts): the package's own way cannot be kept
// away from private addresses, nor speak to a push service of the same machine, nor keep connections.

import { LinodError } from '../../src/index.js';
import type { PushMessageRow, PushSubscriptionRow } from '../store/tables.js';
import type { VapidDetails } from './vapid.js';

/** The package `web-push` is not installed. */
export class MissingWebPushError extends LinodError {
  constructor(cause: unknown) {
    super('LINOD_ERR_MISSING_PACKAGE', 'push needs the package web-push: npm install web-push', { cause });
  }
}

/** Nothing can be encrypted for a subscription. */
export class BrokenSubscriptionError extends LinodError {
  constructor(problem: string, cause: unknown) {
    super('LINOD_ERR_BROKEN_SUBSCRIPTION', problem, { cause });
  }
}

/** What is to be posted. */
export interface PushRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Buffer;
}

/** What of the package is used. */
export interface WebPush {
  /** @throws BrokenSubscriptionError (`LINOD_ERR_BROKEN_SUBSCRIPTION`) when its keys are none */
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
