// Middleware that checks the headers Origin and Host.

import type { Application, Receive, Send } from '../application.js';
import { ProtocolError } from '../errors.js';
import {
  type HeaderList,
  type HttpResponseBody,
  type HttpResponseStart,
  headerOf,
  isConnectionScope,
} from './protocol.js';

/**
 * Refuses WebSockets, with 403, whose `Origin` fits none of the patterns: another site's page could use the visitor's
 * cookies otherwise. A client that sends no Origin is refused unless a pattern is `*`.
 *
 * A pattern is a domain (`example.org`, any scheme and port), a domain with all below it (`.example.org`), either with a
 * scheme and maybe a port (`https://example.org`, `http://.example.org:8000`), or `*`.
 *
 * @throws ProtocolError for a connection that is no WebSocket
 * Source: django/channels channels/security/websocket.py.
 * @example OriginValidator(URLRouter([…]), ['https://example.org'])
 */
export function OriginValidator(application: Application, patterns: readonly string[]): Application {
  return async (scope, receive, send) => {
    if (scope.type !== 'websocket' || !isConnectionScope(scope))
      throw new ProtocolError(
        `OriginValidator is for WebSockets, and was given a scope of type ${scope.type}`,
      );
    if (isAllowedOrigin(headerOf(scope, 'origin'), patterns)) await application(scope, receive, send);
    else await deny(receive, send);
  };
}

/**
 * Refuses requests whose `Host` fits none of the patterns, with 400, and WebSockets also when their `Origin` does not.
 * Patterns are domains (`example.org`, `.example.org`), addresses (`127.0.0.1`, `[::1]`) or `*`.
 *
 * Source: ALLOWED_HOSTS of Django; AllowedHostsOriginValidator of django/channels.
 * @example AllowedHosts(ProtocolTypeRouter({ http, websocket }), ['.example.org', 'localhost'])
 */
export function AllowedHosts(application: Application, patterns: readonly string[]): Application {
  return async (scope, receive, send) => {
    if (!isConnectionScope(scope)) return await application(scope, receive, send);
    const host = (headerOf(scope, 'host') ?? '').replace(/:\d*$/, '').toLowerCase();
    const isAllowed = patterns.some((pattern) => pattern === '*' || isSameDomain(host, pattern));
    const isWebsocket = scope.type === 'websocket';
    if (isAllowed && (!isWebsocket || isAllowedOrigin(headerOf(scope, 'origin'), patterns)))
      await application(scope, receive, send);
    else if (isWebsocket) await deny(receive, send);
    else await answer(send, 400, 'this host is not served here');
  };
}

function isAllowedOrigin(origin: string | undefined, patterns: readonly string[]): boolean {
  if (patterns.includes('*')) return true;
  const parsed = parseOrigin(origin ?? '');
  return parsed !== undefined && patterns.some((pattern) => fits(parsed, pattern));
}

function fits(origin: Origin, pattern: string): boolean {
  const parsed = parseOrigin(pattern);
  if (parsed === undefined) return isSameDomain(origin.host, pattern.replace(/:\d+$/, ''));
  const { scheme, host, port } = parsed;
  return scheme === origin.scheme && port === origin.port && isSameDomain(origin.host, host);
}

interface Origin {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
}

const defaultPorts: Readonly<Record<string, number>> = { http: 80, ws: 80, https: 443, wss: 443 };

/** Undefined for what has no scheme, such as `null`. A host may begin with a dot, which no URL does. */
function parseOrigin(text: string): Origin | undefined {
  const parts = /^([a-z][a-z\d+.-]*):\/\/(\[[\da-f:.]+\]|[^:/?#@[\]\s]+)(?::(\d+))?\/?$/.exec(
    text.toLowerCase(),
  );
  const [, scheme = '', host = '', port] = parts ?? [];
  if (parts === null) return undefined;
  return { scheme, host, port: port === undefined ? (defaultPorts[scheme] ?? 0) : Number(port) };
}

function isSameDomain(host: string, pattern: string): boolean {
  const lower = pattern.toLowerCase();
  return host === lower || (lower.startsWith('.') && (host.endsWith(lower) || host === lower.slice(1)));
}

async function deny(receive: Receive, send: Send): Promise<void> {
  await receive();
  await send({ type: 'websocket.close' });
}

async function answer(send: Send, status: number, text: string): Promise<void> {
  const headers: HeaderList = [['content-type', 'text/plain; charset=utf-8']];
  const start: HttpResponseStart = { type: 'http.response.start', status, headers };
  const body: HttpResponseBody = { type: 'http.response.body', body: Buffer.from(`${text}\n`) };
  await send(start);
  await send(body);
}
