// The addresses to which pushes may be posted. Endpoints come from browsers, so any user of the application
// can name one. Without this check, linod would send requests inside the network for them.

import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { LinodError } from '../../src/index.js';

/** An endpoint leads to an address to which pushes are not sent. */
export class PrivateAddressError extends LinodError {
  /** @param host as in the endpoint */
  constructor(host: string, address: string) {
    const which = host === address ? address : `${host} (${address})`;
    super(
      'LINOD_ERR_PRIVATE_ADDRESS',
      `${which} is not a public address; allow private ones with the setting pushToPrivateAddresses`,
    );
  }
}

/** Source: IANA's registry of special-purpose IPv4 addresses: those not globally reachable, and multicast. */
const notPublicV4 = `0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
  192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3`;
/**
 * In IPv6, global unicast is public (RFC 4291, 2.4), except addresses that embed IPv4 or are for
 * documentation.
 */
const notPublicV6 = '2001::/23 2001:db8::/32 2002::/16 3fff::/20';
const notPublic = new BlockList();
const globalUnicast = new BlockList();
addAll(notPublic, notPublicV4, 'ipv4');
addAll(notPublic, notPublicV6, 'ipv6');
addAll(globalUnicast, '2000::/3', 'ipv6');

function addAll(list: BlockList, networks: string, family: 'ipv4' | 'ipv6'): void {
  for (const network of networks.split(/\s+/)) {
    const [address = '', prefix] = network.split('/');
    list.addSubnet(address, Number(prefix), family);
  }
}

/** Whether this address, `192.0.2.7` or `2001:db8::7`, is reachable from the whole Internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  if (family === 4) return !notPublic.check(address, 'ipv4');
  const embedded = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (embedded !== undefined) return isPublicAddress(embedded);
  return globalUnicast.check(address, 'ipv6') && !notPublic.check(address, 'ipv6');
}

/** Whether a host in a URL is this machine. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/**
 * Resolves a name, and fails when any of its addresses is private. The connection itself uses this lookup, so
 * a second DNS answer cannot lead elsewhere.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, []);
    const wrong = addresses.find(({ address }) => !isPublicAddress(address));
    if (wrong !== undefined) return callback(new PrivateAddressError(hostname, wrong.address), []);
    if (options.all) return callback(null, addresses);
    const [first] = addresses;
    callback(null, first?.address ?? '', first?.family);
  });
};

const maxEndpointLength = 2048;

/**
 * Parses the URL of an endpoint.
 *
 * @returns the URL, or the problem with it
 */
export function parseEndpoint(text: unknown): URL | string {
  if (typeof text !== 'string' || text.length > maxEndpointLength || !URL.canParse(text)) {
    return `expected a URL of at most ${maxEndpointLength} characters`;
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'expected a URL without a user';
  if (url.protocol === 'https:') return url;
  // RFC 8030, 8 requires TLS for push services. On one machine, tests and gateways may omit it.
  if (url.protocol === 'http:' && isLoopbackHost(url.hostname)) return url;
  return `expected a URL that begins with https:, got: ${url.protocol}//${url.host}`;
}

/**
 * Refuses an endpoint with a private address in its URL. Names are checked when they are resolved.
 *
 * @throws PrivateAddressError (`LINOD_ERR_PRIVATE_ADDRESS`)
 */
export function refusePrivateEndpoint(url: URL): void {
  const address = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw new PrivateAddressError(address, address);
}
