// URLs of Redis servers, as channels_redis and other programs write them.

import { readFileSync } from 'node:fs';
import type { HostOptions, TlsOptions } from './hosts.js';

/** What is wrong with a URL, as it follows "expected … to be". */
export class UrlProblem extends Error {}

type Draft = { -readonly [K in keyof HostOptions]: HostOptions[K] };

const form =
  /^(?<scheme>rediss?(?:\+sentinel|\+cluster)?):\/\/(?:(?<user>[^/?#]*)@)?(?<servers>[^/?#@]*)(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/i;
const socketForm = /^unix:\/\/(?:(?<user>[^/]*)@)?(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/i;

/**
 * Reads a URL:
 *
 * - `redis://[user:password@]host[:port][/db]`, and `rediss://` for TLS;
 * - `unix://[user:password@]/socket[?db=1]`;
 * - `redis+sentinel://[user:password@]host:port,host:port/master[/db]`, and `rediss+sentinel://`;
 * - `redis+cluster://[user:password@]host:port,host:port`, and `rediss+cluster://`.
 *
 * User and password are percent-encoded. Parameters are `db` and, for TLS, those of redis-py: `ssl_cert_reqs`,
 * `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `ssl_check_hostname`. Files are read at once.
 *
 * Source: docs/wire.md section 7; redis-py, `ConnectionPool.from_url`.
 * @throws UrlProblem
 */
export function parseUrl(text: string): HostOptions {
  const socket = socketForm.exec(text)?.groups;
  if (socket !== undefined) {
    if (socket.path === undefined) throw new UrlProblem('a unix:// URL with the path of a socket');
    const path = decoded(socket.path);
    return { path, ...credentials(socket.user), ...parameters(socket.query, false, undefined) };
  }
  const parts = form.exec(text)?.groups;
  if (parts === undefined)
    throw new UrlProblem(
      'a URL that begins with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://',
    );
  if (parts.user !== undefined && parts.servers === '')
    throw new UrlProblem('a URL with a host after the "@"');
  const [transport = '', kind] = (parts.scheme ?? '').toLowerCase().split('+');
  const path = (parts.path ?? '').slice(1).split('/').map(decoded);
  const options: Draft = { ...credentials(parts.user) };
  if (kind === 'sentinel') {
    options.sentinels = servers(parts.servers, 26_379);
    options.masterName = path.shift() ?? '';
    if (options.masterName === '') throw new UrlProblem('a URL with the name of the master as its path');
  } else if (kind === 'cluster') options.cluster = servers(parts.servers, 6379);
  else Object.assign(options, onlyServer(parts.servers));
  const isTls = transport === 'rediss';
  return { ...options, ...parameters(parts.query, isTls, path.join('/')) };
}

function onlyServer(text: string | undefined): Draft {
  const [[host, port] = ['localhost', 6379], ...others] = servers(text, 6379);
  if (others.length > 0) throw new UrlProblem('a URL with one host; several make a list of URLs');
  return { host, port };
}

function servers(text: string | undefined, defaultPort: number): Array<[host: string, port: number]> {
  return (text ?? '').split(',').map((server) => {
    const [, bracketed, plain, port = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(server) ?? [];
    if (!/^\d*$/.test(port) || (bracketed ?? plain) === undefined || Number(port) > 65_535)
      throw new UrlProblem('a URL whose ports are numbers');
    return [decoded(bracketed ?? plain ?? '') || 'localhost', port === '' ? defaultPort : Number(port)];
  });
}

function credentials(text: string | undefined): Draft {
  const [, user = '', password = ''] = /^([^:]*)(?::(.*))?$/s.exec(text ?? '') ?? [];
  return {
    ...(user === '' ? {} : { username: decoded(user) }),
    ...(password === '' ? {} : { password: decoded(password) }),
  };
}

function parameters(query: string | undefined, isTls: boolean, path: string | undefined): Draft {
  const given = new Map(new URLSearchParams(query ?? ''));
  const known = isTls ? ['db', ...tlsParameters] : ['db'];
  for (const name of given.keys())
    if (!known.includes(name)) throw new UrlProblem(`a URL with no other parameter than ${known.join(', ')}`);
  const db = given.get('db') ?? path ?? '';
  if (!/^\d*$/.test(db)) throw new UrlProblem('a URL whose database is a number');
  return { ...(db === '' ? {} : { db: Number(db) }), ...(isTls ? { tls: tlsOptions(given) } : {}) };
}

const tlsParameters = [
  'ssl_cert_reqs',
  'ssl_ca_certs',
  'ssl_certfile',
  'ssl_keyfile',
  'ssl_check_hostname',
] as const;

function tlsOptions(given: ReadonlyMap<string, string>): TlsOptions {
  const file = (name: (typeof tlsParameters)[number]) => {
    const path = given.get(name);
    return path === undefined ? undefined : readText(name, path);
  };
  const [ca, cert, key] = [file('ssl_ca_certs'), file('ssl_certfile'), file('ssl_keyfile')];
  const required = choice(given, 'ssl_cert_reqs', ['required', 'none']) !== 'none';
  const checksName = choice(given, 'ssl_check_hostname', ['true', 'false']) !== 'false';
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(required ? {} : { rejectUnauthorized: false }),
    ...(checksName ? {} : { checkServerIdentity: () => undefined }),
  };
}

function choice(
  given: ReadonlyMap<string, string>,
  name: string,
  allowed: readonly string[],
): string | undefined {
  const value = given.get(name)?.toLowerCase();
  if (value !== undefined && !allowed.includes(value))
    throw new UrlProblem(`a URL whose ${name} is ${allowed.join(' or ')}`);
  return value;
}

function readText(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new UrlProblem(`a URL whose ${name} is a file that can be read (${path}: ${code})`);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UrlProblem('a URL that is percent-encoded');
  }
}
