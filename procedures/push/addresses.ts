// Which addresses a push may be posted to. Endpoints come from browsers, so that anybody with an account of the
// application can name one: without this, linod would knock at doors inside the network for them.

import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { LinodError } from '../../src/index.js';

/** An endpoint leads to an address that pushes are not sent to. */
export class PrivateAddressError extends LinodError {
  /** @param host as the endpoint names it */
  constructor(host: string, address: string) {
    const which = host === address ? address : `${host} (${address})`;
    super(
      'LINOD_ERR_PRIVATE_ADDRESS',
      `${which} is no public address; the setting pushToPrivateAddresses allows such`,
    );
  }
}

/** Source: IANA's registry of special-purpose IPv4 addresses: what is not globally reachable, and multicast. */
const notPublic = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4');
}
/** Of IPv6, global unicast is public (RFC 4291, 2.4), less what carries an IPv4 address or is no place at all. */
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv6');
}

/** Whether everybody on the Internet could reach this address, `192.0.2.7` or `2001:db8::7`. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  if (family === 4) return !notPublic.check(address, 'ipv4');
  const embedded = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (embedded !== undefined) return isPublicAddress(embedded);
  return globalUnicast.check(address, 'ipv6') && !notPublic.check(address, 'ipv6');
}

/** Whether this machine alone is meant, as a URL writes its host. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/**
 * Looks a name up and fails when any of its addresses is not public. It is the look-up of the connection itself, so
 * that no second answer of the name's server can lead elsewhere.
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
