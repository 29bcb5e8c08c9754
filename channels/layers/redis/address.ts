// Where a Redis server is: a URL, read once.

import type { RedisOptions } from 'ioredis';
import { InvalidOptionError } from '../../errors.js';

/** What the client library needs to connect, and what people call the server. Only `name` may be printed. */
export interface Address {
  readonly connect: Pick<RedisOptions, 'host' | 'port' | 'path' | 'username' | 'password' | 'db' | 'tls'>;
  /** Host and port, or the socket's path; nothing secret. */
  readonly name: string;
}

/**
 * Reads `redis://`, `rediss://` (TLS) and `unix://` URLs: user and password percent-encoded, the database as path
 * (`/1`, not with `unix://`) or as `?db=1`. What is missing is localhost, 6379 and 0.
 *
 * Source: docs/wire.md section 7.
 * @throws InvalidOptionError that names `option` and shows the URL without its password
 */
export function parseAddress(option: string, text: unknown): Address {
  const refuse = (expected: string) => new InvalidOptionError(option, expected, withoutPassword(text));
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['redis:', 'rediss:', 'unix:'].includes(url.protocol))
    throw refuse('a URL that begins with redis://, rediss:// or unix://');
  for (const name of url.searchParams.keys())
    if (name !== 'db') throw refuse('a URL with no other parameter than db');
  const common = { ...credentials(url), db: database(url, refuse) };
  if (url.protocol === 'unix:') {
    const path = decodeURIComponent(url.pathname);
    if (path === '') throw refuse('a unix:// URL with the path of a socket');
    return { connect: { ...common, path }, name: path };
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost';
  const port = Number(url.port || 6379);
  const tls = url.protocol === 'rediss:' ? { tls: {} } : {};
  return { connect: { ...common, ...tls, host, port }, name: `${url.hostname || host}:${port}` };
}

function credentials(url: URL): Pick<RedisOptions, 'username' | 'password'> {
  return {
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
  };
}

function database(url: URL, refuse: (expected: string) => Error): number {
  const inPath = url.protocol === 'unix:' ? '' : url.pathname.replace(/^\//, '');
  const text = url.searchParams.get('db') ?? inPath;
  if (!/^\d*$/.test(text)) throw refuse('a URL whose database is a number');
  return Number(text);
}

function withoutPassword(text: unknown): unknown {
  return typeof text === 'string' ? text.replace(/\/\/.*@/s, '//***@') : text;
}
