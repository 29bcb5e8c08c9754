// The keys by which push services know the site. Source: RFC 8292.

import { createECDH } from 'node:crypto';
import { BadConfigError, type Settings } from '../../src/index.js';

/** Who sends, and with which keys. */
export interface VapidDetails {
  /** Whom a push service may write to when something goes wrong: `mailto:` or `https:`. */
  readonly subject: string;
  readonly publicKey: string;
  readonly privateKey: string;
}

type VapidSettings = Pick<Settings, 'vapidSubject' | 'vapidPublicKey' | 'vapidPrivateKey'>;

/**
 * The keys of a site.
 *
 * @throws BadConfigError (`LINOD_ERR_BAD_CONFIG`) when one is missing, or they are no pair
 */
export function vapidDetails(settings: VapidSettings): VapidDetails {
  const { vapidSubject: subject, vapidPublicKey: publicKey, vapidPrivateKey: privateKey } = settings;
  const missing = Object.entries({
    vapidSubject: subject,
    vapidPublicKey: publicKey,
    vapidPrivateKey: privateKey,
  })
    .filter(([, value]) => value === '')
    .map(([key]) => key);
  if (missing.length > 0) {
    throw new BadConfigError(
      'the settings',
      undefined,
      `push needs ${missing.join(', ')}; \`linod push keys\` makes a pair of keys`,
    );
  }
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(privateKey, 'base64url');
  if (pair.getPublicKey('base64url') !== publicKey) {
    throw new BadConfigError(
      'the settings',
      'vapidPublicKey',
      'is not the public key of vapidPrivateKey; `linod push keys` makes a pair of keys',
    );
  }
  return { subject, publicKey, privateKey };
}
