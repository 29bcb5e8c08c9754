// The option `hosts` of the layers on Redis, in all the forms that it has in the original.

import { InvalidOptionError } from '../../errors.js';
import type { Address, Endpoint, TlsOptions } from './address.js';
import { clusterAddress } from './cluster.js';
import { parseUrl, UrlProblem } from './host-url.js';
import { sentinelAddress } from './sentinel.js';

/** One host: a URL, a pair of host and port, or connection options. */
export type Host =
  | string
  | readonly [host: string, port: number, ...ignored: readonly unknown[]]
  | HostOptions;

/** A server by its options. What is missing is localhost, port 6379, database 0, no password and no TLS. */
export interface HostOptions {
  /** A URL; what it says is stronger than the other options. */
  readonly address?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** The path of a Unix socket, in place of host and port. */
  readonly path?: string | undefined;
  readonly db?: number | undefined;
  /** An ACL user. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** `true`, or Node.js's options: `ca`, `cert`, `key`, `servername`, `rejectUnauthorized`… */
  readonly tls?: boolean | TlsOptions | undefined;
  /** Hosts and ports of Sentinels that know where the master `masterName` is. */
  readonly sentinels?: ReadonlyArray<readonly [host: string, port: number]> | undefined;
  readonly masterName?: string | undefined;
  /** How to connect to the Sentinels themselves, if that needs anything. */
  readonly sentinelOptions?: Pick<HostOptions, 'username' | 'password' | 'tls'> | undefined;
  /** Hosts and ports of some nodes of a Redis Cluster. The prefix of the layer then needs a hash tag. */
  readonly cluster?: ReadonlyArray<readonly [host: string, port: number]> | undefined;
}

const defaultUrl = 'redis://localhost:6379';

/**
 * Reads the option: nothing or an empty list means `redis://localhost:6379`. All keys of the layer begin with `prefix`.
 *
 * Source: docs/wire.md section 7.
 * @throws InvalidOptionError, which shows no password
 */
export function parseHosts(hosts: unknown, prefix: string): readonly Address[] {
  const list = hosts ?? [];
  if (!Array.isArray(list))
    throw new InvalidOptionError(
      'hosts',
      'a list of URLs, of pairs of host and port, or of objects',
      `a ${typeof hosts}`,
    );
  const entries: readonly unknown[] = list.length === 0 ? [defaultUrl] : list;
  return entries.map((entry, i) => parseHost(`hosts[${i}]`, entry, prefix));
}

function parseHost(option: string, entry: unknown, prefix: string): Address {
  try {
    return toAddress(toOptions(entry), prefix);
  } catch (error) {
    if (!(error instanceof UrlProblem)) throw error;
    throw new InvalidOptionError(option, error.message, shown(entry));
  }
}

function toOptions(entry: unknown): HostOptions {
  if (typeof entry === 'string') return parseUrl(entry);
  if (Array.isArray(entry)) {
    const [host, port] = entry;
    if (!isText(host) || !isPort(port)) throw new UrlProblem('a pair of a host and a port');
    return { host, port };
  }
  if (typeof entry !== 'object' || entry === null)
    throw new UrlProblem('a URL, a pair of host and port, or an object');
  const { address, ...options } = checkOptions(entry);
  return address === undefined ? options : { ...options, ...parseUrl(address) };
}

const checks: { readonly [K in keyof Required<HostOptions>]: (value: unknown) => boolean } = {
  address: isText,
  host: isText,
  port: isPort,
  path: isText,
  db: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  username: isText,
  password: isText,
  tls: (value) => typeof value === 'boolean' || isObject(value),
  sentinels: isServers,
  masterName: isText,
  sentinelOptions: isObject,
  cluster: isServers,
};

function checkOptions(options: object): HostOptions {
  for (const [key, value] of Object.entries(options)) {
    const isAllowed = Object.hasOwn(checks, key) ? checks[key as keyof HostOptions] : undefined;
    if (isAllowed === undefined)
      throw new UrlProblem(`an object with no other keys than ${Object.keys(checks).join(', ')}`);
    if (value !== undefined && !isAllowed(value)) throw new UrlProblem(`an object with a valid ${key}`);
  }
  return options;
}

function toAddress(options: HostOptions, prefix: string): Address {
  const { sentinels, masterName, cluster, sentinelOptions } = options;
  if ((sentinels === undefined) !== (masterName === undefined))
    throw new UrlProblem('an object with both sentinels and masterName, or none of them');
  const common = endpointOf(options);
  if (sentinels !== undefined && masterName !== undefined) {
    const seeds = sentinels.map(([host, port]) => ({ ...endpointOf(sentinelOptions ?? {}), host, port }));
    return sentinelAddress({ seeds, masterName, common });
  }
  if (cluster !== undefined) {
    if (!/\{[^}]+\}/.test(prefix))
      throw new UrlProblem(
        'a cluster only with a prefix that has a hash tag, as "{asgi}": all keys must lie on one node',
      );
    if ((options.db ?? 0) !== 0) throw new UrlProblem('a cluster without db: it has database 0 only');
    return clusterAddress({ seeds: cluster.map(([host, port]) => ({ ...common, host, port })), prefix });
  }
  const { path, host = 'localhost', port = 6379 } = options;
  const endpoint = path === undefined ? { ...common, host, port } : { ...common, path };
  return { name: path ?? serverName(host, port), moves: false, locate: () => endpoint };
}

function endpointOf({ username, password, db, tls }: HostOptions): Endpoint {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(db === undefined ? {} : { db }),
    ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tls }),
  };
}

function serverName(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isPort(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0 && Number(value) <= 65_535;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isServers(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((server) => Array.isArray(server) && isText(server[0]) && isPort(server[1]))
  );
}

/** What an error shows: a URL without user and password, of anything else its kind. */
function shown(entry: unknown): string {
  // What is no URL may be a password as a whole.
  if (typeof entry === 'string')
    return entry.includes('://') ? entry.replace(/\/\/.*@/s, '//***@') : 'a text without ://';
  return Array.isArray(entry) ? 'a list' : entry === null ? 'null' : `a ${typeof entry}`;
}
