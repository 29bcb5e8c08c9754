// Which client a request comes from, when proxies stand in between.

import { BlockList, isIP } from 'node:net';
import type { HeaderList } from '../../browser/protocol.js';
import { InvalidOptionError } from '../../errors.js';

/** The client of a request, as far as it can be trusted. */
export interface ClientOrigin {
  readonly client: readonly [address: string, port: number] | null;
  readonly isSecure: boolean;
}

/** The proxies whose headers count. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #trustsUnix: boolean;
  readonly #isEmpty: boolean;

  /** @throws InvalidOptionError for an entry that is no address, network or `unix` */
  constructor(entries: readonly string[] = []) {
    this.#trustsUnix = entries.includes('unix');
    this.#isEmpty = entries.length === 0;
    for (const entry of entries) if (entry !== 'unix') this.#add(entry);
  }

  /** Whether the peer at this address is one of them; undefined is the peer of a Unix socket. */
  has(address: string | undefined): boolean {
    if (this.#isEmpty) return false;
    if (address === undefined) return this.#trustsUnix;
    const plain = plainAddress(address);
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  }

  /**
   * Finds the client: the rightmost address of `X-Forwarded-For` that is not itself a trusted proxy. A client can
   * forge the addresses to the left of it.
   */
  originOf(
    peer: { readonly address: string | undefined; readonly port: number; readonly isSecure: boolean },
    headers: HeaderList,
  ): ClientOrigin {
    const { address, port, isSecure } = peer;
    const direct = {
      client: address === undefined ? null : ([plainAddress(address), port] as const),
      isSecure,
    };
    if (!this.has(address)) return direct;
    const protocol = valuesOf(headers, 'x-forwarded-proto').at(-1)?.toLowerCase();
    let { client } = direct;
    for (const hop of valuesOf(headers, 'x-forwarded-for').reverse()) {
      const found = addressOf(hop);
      if (found === undefined) break;
      client = [found, 0];
      if (!this.has(found)) break;
    }
    return { client, isSecure: protocol === undefined ? isSecure : ['https', 'wss'].includes(protocol) };
  }

  #add(entry: string): void {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address);
    const length = bits === undefined ? undefined : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    const isLength = length === undefined || length <= (family === 4 ? 32 : 128);
    if (family === 0 || !isLength)
      throw new InvalidOptionError('trustedProxies', 'made of addresses, networks and "unix"', entry);
    const type = family === 4 ? 'ipv4' : 'ipv6';
    if (length === undefined) this.#list.addAddress(address, type);
    else this.#list.addSubnet(address, length, type);
  }
}

/** An IPv4 address that came through an IPv6 socket, as IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function valuesOf(headers: HeaderList, name: string): string[] {
  return headers.flatMap(([each, value]) =>
    each === name ? value.split(',').map((part) => part.trim()) : [],
  );
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`; undefined for anything else. */
function addressOf(hop: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
  return isIP(bare) === 0 ? undefined : plainAddress(bare);
}
