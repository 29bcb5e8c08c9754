// Spans for HTTP requests.
//
// Source: OpenTelemetry semantic conventions, docs/http/http-spans.md. The query is left out: it may hold secrets.

import type { Scope } from '../application.js';
import type { HttpScope } from '../browser/protocol.js';
import { hasActiveSpan, isTracing, type OpenSpan, renameSpan, startSpan, traceKeysOf } from './peer.js';

const knownMethods = /^(?:CONNECT|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT|QUERY|TRACE)$/;

/** @returns undefined also where an instrumentation of `node:http` has begun one already */
export function requestSpan(scope: HttpScope): OpenSpan | undefined {
  if (!isTracing() || hasActiveSpan()) return undefined;
  const headers: Partial<Record<string, string>> = Object.fromEntries(scope.headers);
  const [, host, port] = /^(.+?)(?::(\d+))?$/.exec(headers.host ?? '') ?? [];
  return startSpan({
    name: methodOf(scope),
    kind: 'SERVER',
    attributes: {
      'http.request.method': knownMethods.test(scope.method) ? scope.method : '_OTHER',
      'url.path': scope.path,
      'url.scheme': scope.scheme,
      'network.protocol.version': scope.httpVersion,
      ...(scope.client && { 'client.address': scope.client[0] }),
      ...(host !== undefined && { 'server.address': host }),
      ...(port !== undefined && { 'server.port': Number(port) }),
      ...(headers['user-agent'] !== undefined && { 'user_agent.original': headers['user-agent'] }),
    },
    parent: traceKeysOf(headers),
  });
}

/** @param status 0 when the client left without an answer */
export function endRequestSpan(span: OpenSpan | undefined, status: number): void {
  if (status > 0) span?.set({ 'http.response.status_code': status });
  span?.end(status >= 500 ? String(status) : undefined);
}

/** Names the span of a request after its route. */
export function nameRoute(scope: Scope, route: string): void {
  if (!isTracing() || scope.type !== 'http') return;
  renameSpan(`${methodOf(scope as HttpScope)} ${route}`, { 'http.route': route });
}

function methodOf({ method }: HttpScope): string {
  return knownMethods.test(method) ? method : 'HTTP';
}
