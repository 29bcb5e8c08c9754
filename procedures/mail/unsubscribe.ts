// Where recipients of digests are rid of them: the application tells.

import { headline } from '../failures.js';
import { InvalidRegistrationError, Slot } from '../registry.js';

/** An address for one recipient, `https://shop.example.org/unsubscribe?token=…` or `mailto:…`; null for none. */
export type UnsubscribeUrl = (to: string) => string | null | Promise<string | null>;

const registered = new Slot<UnsubscribeUrl>();

/**
 * Has digests carry a header `List-Unsubscribe`, which mail programs show as a button; large receivers want it. An https
 * address is asked with a POST and without a login, so it has to tell by a token who it is.
 * Source: RFC 2369 and RFC 8058.
 *
 * @returns takes it back
 * @example
 * registerUnsubscribeUrl((to) => `https://shop.example.org/unsubscribe?token=${tokenFor(to)}`);
 */
export function registerUnsubscribeUrl(urlFor: UnsubscribeUrl): () => void {
  return registered.fill(urlFor);
}

/**
 * The address for one recipient, null without one.
 *
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`) when the application returns none, or throws
 */
export async function unsubscribeUrl(to: string): Promise<string | null> {
  if (registered.value === undefined) return null;
  let found: unknown;
  try {
    found = await registered.value(to);
  } catch (error) {
    throw new InvalidRegistrationError('unsubscribe URL', headline(error));
  }
  if (found === null) return null;
  const url = typeof found === 'string' && URL.canParse(found) ? new URL(found) : undefined;
  if (url === undefined || !['https:', 'http:', 'mailto:'].includes(url.protocol)) {
    throw new InvalidRegistrationError(
      'unsubscribe URL',
      `expected an https or mailto address, got: ${JSON.stringify(found)?.slice(0, 200)}`,
    );
  }
  // Its own form has neither spaces nor brackets, which would end the header's value.
  return url.href.replace(/[<>,]/g, encodeURIComponent);
}
