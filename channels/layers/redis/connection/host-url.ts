// URLs of Redis servers, as channels_redis and other programs write them.

import { readFileSync } from 'node:fs';
import type { HostOptions, TlsOptions } from './host-options.js';

/** The problem of a URL. The text follows "expected … to be". */
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
 * User and password are percent-encoded. Parameters are `db` and, for TLS, those of redis-py:
 * `ssl_cert_reqs`, `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `ssl_check_hostname`. Files are read at
 * once.
 *
 * Source: docs/reference/wire.md section 7; redis-py, `ConnectionPool.from_url`.
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
    ...(user !== '' && { username: decoded(user) }),
    ...(password !== '' && { password: decoded(password) }),
  };
}

function parameters(query: string | undefined, isTls: boolean, path: string | undefined): Draft {
  const { db = path ?? '', ...others } = Object.fromEntries(new URLSearchParams(query ?? ''));
  const readers: Readonly<Record<string, TlsReader>> = isTls ? tlsReaders : {};
  const tls = Object.entries(others).map(([name, value]) => {
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (reader !== undefined) return reader(value, name);
    throw new UrlProblem(`a URL with no other parameter than ${['db', ...Object.keys(readers)].join(', ')}`);
  });
  if (!/^\d*$/.test(db)) throw new UrlProblem('a URL whose database is a number');
  return { ...(db !== '' && { db: Number(db) }), ...(isTls && { tls: Object.assign({}, ...tls) }) };
}

type TlsReader = (value: string, name: string) => TlsOptions;

const tlsReaders: Readonly<Record<string, TlsReader>> = {
  ssl_cert_reqs: (value, name) =>
    isFirst(value, name, ['required', 'none']) ? {} : { rejectUnauthorized: false },
  ssl_ca_certs: (value, name) => ({ ca: readText(name, value) }),
  ssl_certfile: (value, name) => ({ cert: readText(name, value) }),
  ssl_keyfile: (value, name) => ({ key: readText(name, value) }),
  ssl_check_hostname: (value, name) =>
    isFirst(value, name, ['true', 'false']) ? {} : { checkServerIdentity: () => undefined },
};

/** Whether a parameter has the first of its two allowed values. */
function isFirst(value: string, name: string, allowed: readonly [string, string]): boolean {
  const index = allowed.indexOf(value.toLowerCase());
  if (index < 0) throw new UrlProblem(`a URL whose ${name} is ${allowed.join(' or ')}`);
  return index === 0;
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
