// The option `hosts` of the layers on Redis, in all the forms that it has in the original.

import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { InvalidOptionError } from '../../errors.js';
import { parseUrl, UrlProblem } from './host-url.js';

export type { TlsOptions };

/** What the client library needs to connect. */
export type Endpoint = Pick<RedisOptions, Access | Place | Sentinels>;

type Access = 'username' | 'password' | 'db' | 'tls';
type Place = 'host' | 'port' | 'path' | 'sentinels' | 'name';
type Sentinels = 'enableTLSForSentinelMode' | 'sentinelUsername' | 'sentinelPassword' | 'sentinelTLS';

/** A host of a layer: a server, a master that Sentinels know, or a cluster. */
export interface Address {
  /** What people call it: host and port, or the socket's path; nothing secret. Only this may be printed. */
  readonly name: string;
  readonly options: Endpoint;
  /** Some nodes of a cluster. */
  readonly cluster?: ReadonlyArray<{ readonly host: string; readonly port: number }>;
}

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
  const { sentinels, masterName, cluster, db = 0 } = options;
  if ((sentinels === undefined) !== (masterName === undefined))
    throw new UrlProblem('an object with both sentinels and masterName, or none of them');
  if (sentinels !== undefined && masterName !== undefined)
    return sentinelAddress(options, sentinels, masterName);
  if (cluster !== undefined) {
    if (!/\{[^}]+\}/.test(prefix))
      throw new UrlProblem(
        'a cluster only with a prefix that has a hash tag, as "{asgi}": all keys must lie on one node',
      );
    if (db !== 0) throw new UrlProblem('a cluster without db: it has database 0 only');
    return { name: `cluster ${namesOf(cluster)}`, options: accessOf(options), cluster: nodesOf(cluster) };
  }
  const { path, host = 'localhost', port = 6379 } = options;
  const endpoint = path === undefined ? { host, port } : { path };
  return { name: path ?? serverName(host, port), options: { ...accessOf(options), ...endpoint } };
}

function sentinelAddress(options: HostOptions, sentinels: Servers, masterName: string): Address {
  const { username, password, tls } = accessOf(options.sentinelOptions ?? {});
  const access = accessOf(options);
  return {
    name: `${namesOf(sentinels)}/${masterName}`,
    options: {
      ...access,
      sentinels: nodesOf(sentinels),
      name: masterName,
      enableTLSForSentinelMode: access.tls !== undefined,
      ...(username === undefined ? {} : { sentinelUsername: username }),
      ...(password === undefined ? {} : { sentinelPassword: password }),
      ...(tls === undefined ? {} : { sentinelTLS: tls }),
    },
  };
}

function accessOf({ username, password, db, tls }: HostOptions): Pick<Endpoint, Access> {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(db === undefined ? {} : { db }),
    ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tls }),
  };
}

type Servers = ReadonlyArray<readonly [host: string, port: number]>;

function nodesOf(servers: Servers): Array<{ host: string; port: number }> {
  return servers.map(([host, port]) => ({ host, port }));
}

/** `host:port,host:port` */
function namesOf(servers: Servers): string {
  return servers.map(([host, port]) => `${host}:${port}`).join(',');
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

/**
 * The index of the host for a name: its CRC-32, of which the lower twelve bits are shared out evenly.
 *
 * Source: docs/wire.md section 7; `_consistent_hash` of channels_redis.
 */
export function shardOf(name: string, hosts: number): number {
  return hosts === 1 ? 0 : Math.floor(((crc32(Buffer.from(name)) & 0xfff) * hosts) / 4096);
}

/** Not zlib's, which is younger than Node.js 20. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
