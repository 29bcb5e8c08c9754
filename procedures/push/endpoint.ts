// What an endpoint has to look like, wherever it comes from.

import { isIP } from 'node:net';
import { isLoopbackHost, isPublicAddress, PrivateAddressError } from './addresses.js';

const maxLength = 2048;

/**
 * Reads the URL of an endpoint.
 *
 * @returns the URL, or what is wrong with it
 */
export function parseEndpoint(text: unknown): URL | string {
  if (typeof text !== 'string' || text.length > maxLength || !URL.canParse(text)) {
    return `expected a URL of at most ${maxLength} characters`;
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'expected a URL without a user';
  if (url.protocol === 'https:') return url;
  // RFC 8030, 8: a push service is spoken to over TLS. On one machine, tests and gateways may do without.
  if (url.protocol === 'http:' && isLoopbackHost(url.hostname)) return url;
  return `expected a URL that begins with https:, got: ${url.protocol}//${url.host}`;
}

/**
 * Refuses an endpoint that names a private address itself; a name is looked at when it is looked up.
 *
 * @throws PrivateAddressError (`LINOD_ERR_PRIVATE_ADDRESS`)
 */
export function refusePrivateEndpoint(url: URL): void {
  const address = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw new PrivateAddressError(address, address);
}
