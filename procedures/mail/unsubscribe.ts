// The unsubscribe URLs of digests, which the application provides.

import { headline } from '../shared/failures.js';
import { InvalidRegistrationError, SingleRegistration } from '../shared/registry.js';

/** A URL for one recipient, `https://shop.example.org/unsubscribe?token=…` or `mailto:…`; null for none. */
export type UnsubscribeUrl = (to: string) => string | null | Promise<string | null>;

const registered = new SingleRegistration<UnsubscribeUrl>();

/**
 * Registers the URLs for the header `List-Unsubscribe` of digests. Mail programs show it as a button, and
 * large receivers require it. Receivers POST to an https URL without a login, so a token in it has to
 * identify the recipient. Source: RFC 2369 and RFC 8058.
 *
 * @returns a function that removes it
 * @example
 * registerUnsubscribeUrl((to) => `https://shop.example.org/unsubscribe?token=${tokenFor(to)}`);
 */
export function registerUnsubscribeUrl(urlFor: UnsubscribeUrl): () => void {
  return registered.set(urlFor);
}

/**
 * The URL for one recipient, or null.
 *
 * @throws InvalidRegistrationError (`LINOD_ERR_INVALID_REGISTRATION`) when the application throws, or returns
 *   something else
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
  // The serialised URL has no spaces; brackets and commas would end the header's value.
  return url.href.replace(/[<>,]/g, encodeURIComponent);
}
