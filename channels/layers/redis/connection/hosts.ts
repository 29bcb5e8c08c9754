// The option `hosts` of the Redis layers, in all forms that channels_redis accepts.

import type { RedisOptions } from 'ioredis';
import * as v from 'valibot';
import { InvalidOptionError } from '../../../errors.js';
import type { HostOptions, TlsOptions } from './host-options.js';
import { parseUrl, UrlProblem } from './host-url.js';

/** The connection options of the client library. */
export type Endpoint = Pick<RedisOptions, Access | ServerAddress | Sentinels>;

type Access = 'username' | 'password' | 'db' | 'tls';
type ServerAddress = 'host' | 'port' | 'path' | 'sentinels' | 'name';
type Sentinels = 'enableTLSForSentinelMode' | 'sentinelUsername' | 'sentinelPassword' | 'sentinelTLS';

/** A host of a layer: a server, a master that Sentinels know, or a cluster. */
export interface Address {
  /** Its name for people: host and port, or the socket's path. It contains no secret. Print only this. */
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

const defaultUrl = 'redis://localhost:6379';

const text = v.string();
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
/** Anything after the port is ignored, as in Python. */
const server = v.tuple([text, port]);
const servers = v.pipe(v.array(server), v.nonEmpty());
const tls = v.union([v.boolean(), v.looseObject({})]);

const hostOptions = v.strictObject({
  address: v.optional(text),
  host: v.optional(text),
  port: v.optional(port),
  path: v.optional(text),
  db: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  username: v.optional(text),
  password: v.optional(text),
  tls: v.optional(tls),
  sentinels: v.optional(servers),
  masterName: v.optional(text),
  sentinelOptions: v.optional(
    v.looseObject({ username: v.optional(text), password: v.optional(text), tls: v.optional(tls) }),
  ),
  cluster: v.optional(servers),
});

/**
 * Reads the option. Default: `redis://localhost:6379`. All keys of the layer begin with `prefix`.
 *
 * Source: docs/reference/wire.md section 7.
 * @throws InvalidOptionError, which shows no password
 */
export function parseHosts(hosts: unknown, prefix: string): readonly Address[] {
  const list = hosts ?? [];
  const forms = 'a list of URLs, of pairs of host and port, or of objects';
  if (!Array.isArray(list)) throw new InvalidOptionError('hosts', forms, `a ${typeof hosts}`);
  const entries: readonly unknown[] = list.length === 0 ? [defaultUrl] : list;
  return entries.map((entry, i) => {
    try {
      return toAddress(toOptions(entry), prefix);
    } catch (error) {
      if (!(error instanceof UrlProblem)) throw error;
      throw new InvalidOptionError(`hosts[${i}]`, error.message, shown(entry));
    }
  });
}

function toOptions(entry: unknown): HostOptions {
  if (typeof entry === 'string') return parseUrl(entry);
  if (Array.isArray(entry)) {
    if (!v.is(server, entry)) throw new UrlProblem('a pair of a host and a port');
    return { host: entry[0], port: entry[1] };
  }
  if (typeof entry !== 'object' || entry === null)
    throw new UrlProblem('a URL, a pair of host and port, or an object');
  const { success, output, issues } = v.safeParse(hostOptions, entry, { abortEarly: true });
  if (!success) {
    const [{ type, path }] = issues;
    if (type !== 'strict_object') throw new UrlProblem(`an object with a valid ${String(path?.[0]?.key)}`);
    const known = Object.keys(hostOptions.entries).join(', ');
    throw new UrlProblem(`an object with no other keys than ${known}`);
  }
  const { address, ...options } = output;
  return address === undefined ? options : { ...options, ...parseUrl(address) };
}

function toAddress(options: HostOptions, prefix: string): Address {
  const { sentinels, masterName, cluster, path, host = 'localhost', port = 6379 } = options;
  const { username, password, db, sentinelOptions = {} } = options;
  const access = { username, password, db, tls: tlsOf(options) };
  if ((sentinels === undefined) !== (masterName === undefined))
    throw new UrlProblem('an object with both sentinels and masterName, or none of them');
  if (sentinels !== undefined)
    return {
      name: `${namesOf(sentinels)}/${masterName}`,
      options: defined({
        ...access,
        sentinels: nodesOf(sentinels),
        name: masterName,
        enableTLSForSentinelMode: access.tls !== undefined,
        sentinelUsername: sentinelOptions.username,
        sentinelPassword: sentinelOptions.password,
        sentinelTLS: tlsOf(sentinelOptions),
      }),
    };
  if (cluster !== undefined) {
    if (!/\{[^}]+\}/.test(prefix))
      throw new UrlProblem(
        'a cluster only with a prefix that has a hash tag, as "{asgi}": all keys must lie on one node',
      );
    if (db !== undefined && db !== 0) throw new UrlProblem('a cluster without db: it has database 0 only');
    return { name: `cluster ${namesOf(cluster)}`, options: defined(access), cluster: nodesOf(cluster) };
  }
  if (path !== undefined) return { name: path, options: defined({ ...access, path }) };
  const name = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return { name, options: defined({ ...access, host, port }) };
}

function tlsOf({ tls }: Pick<HostOptions, 'tls'>): TlsOptions | undefined {
  if (tls === true) return {};
  return tls === false ? undefined : tls;
}

/** Removes undefined values, which would hide the client library's defaults. */
function defined(options: { readonly [K in keyof Endpoint]: Endpoint[K] | undefined }): Endpoint {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

type Servers = ReadonlyArray<readonly [host: string, port: number]>;

function nodesOf(servers: Servers): Array<{ host: string; port: number }> {
  return servers.map(([host, port]) => ({ host, port }));
}

/** `host:port,host:port` */
function namesOf(servers: Servers): string {
  return servers.map(([host, port]) => `${host}:${port}`).join(',');
}

/** The text for an error: a URL without user and password, or the kind of another value. */
function shown(entry: unknown): string {
  // A text that is not a URL may be a password.
  if (typeof entry === 'string')
    return entry.includes('://') ? entry.replace(/\/\/.*@/s, '//***@') : 'a text without ://';
  return Array.isArray(entry) ? 'a list' : entry === null ? 'null' : `a ${typeof entry}`;
}

/**
 * The index of the host for a name: its CRC-32, whose lower twelve bits are distributed evenly.
 *
 * Source: docs/reference/wire.md section 7; `_consistent_hash` of channels_redis.
 */
export function shardOf(name: string, hosts: number): number {
  return hosts === 1 ? 0 : Math.floor(((crc32(Buffer.from(name)) & 0xfff) * hosts) / 4096);
}

/** Node.js 20 has no crc32 in zlib. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
