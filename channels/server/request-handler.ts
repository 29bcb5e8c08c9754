// What becomes of a request that comes in: it is refused, or an application instance answers it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ConnectionFacts, ConnectionScope, HttpScope, WebsocketScope } from '../browser/protocol.js';
import { NoRouteError } from '../errors.js';
import type { ApplicationInstances } from './application-instances.js';
import type { ConnectionCounts } from './connection-counts.js';
import type { ServerEvent } from './events.js';
import { asksForWebSocket, handshakeProblem, subprotocolsOf, type Upgrader } from './handshake.js';
import { isRefusal, type Refusal, readHeaders, readTarget } from './head.js';
import { HttpConnection, HttpExchange, hasBody } from './http-connection.js';
import type { Listener } from './listen.js';
import type { ServerLimits } from './options.js';
import type { TrustedProxies } from './proxies.js';
import { Response, responseOn, sendPlain } from './response.js';
import { type QueueTotal, ServerSocketExtension } from './socket-extension.js';
import { WebsocketConnection } from './websocket-connection.js';

const asgi = Object.freeze({ version: '3.0', specVersion: '2.5' } as const);

/** What a server hands its gate. */
export interface RequestContext {
  readonly limits: ServerLimits;
  readonly proxies: TrustedProxies;
  readonly counts: ConnectionCounts;
  readonly instances: ApplicationInstances;
  readonly queued: QueueTotal;
  readonly upgrader: Upgrader;
  /** The open WebSockets by their ids; kept here, read by the server. */
  readonly sockets: Map<string, WebsocketConnection>;
  readonly state: Readonly<Record<string, unknown>>;
  readonly stopping: AbortSignal;
  readonly report: ((event: ServerEvent) => void) | undefined;
}

const stopping: Refusal = { status: 503, reason: 'the server is stopping' };

/** How many requests may wait on a connection for their turn. One with more is ended. */
const maxWaiting = 100;

export class RequestHandler {
  readonly #context: RequestContext;
  /** The response in hand on a connection: requests behind it wait for their turn. */
  readonly #current = new WeakMap<object, ServerResponse>();
  /** How many of them there are. */
  readonly #waiting = new WeakMap<object, number>();

  readonly #upgraded = new WeakSet<object>();

  constructor(context: RequestContext) {
    this.#context = context;
  }

  /** Whether a request of this connection is being answered, or it is a WebSocket. */
  isBusy(socket: object): boolean {
    return this.#current.get(socket)?.closed === false || this.#upgraded.has(socket);
  }

  /** Answers the requests of one connection one after the other, however many a client sends at once. */
  onRequest(
    listener: Listener,
    request: IncomingMessage,
    response: ServerResponse,
    sendContinue?: () => void,
  ): void {
    const { socket } = request;
    const before = this.#current.get(socket);
    this.#current.set(socket, response);
    // Whoever has to be asked for the body may send it or not; the next request would be looked for in it.
    if (sendContinue !== undefined) response.shouldKeepAlive = false;
    // Behind an answer that ends the connection, such as a refusal, nothing is answered.
    const answer = () => socket.writable && void this.#answer(listener, request, response, sendContinue);
    if (before === undefined || before.closed) return void answer();
    const waiting = (this.#waiting.get(socket) ?? 0) + 1;
    if (waiting > maxWaiting) return void socket.destroy();
    this.#waiting.set(socket, waiting);
    before.once('close', () => {
      this.#waiting.set(socket, (this.#waiting.get(socket) ?? 1) - 1);
      answer();
    });
  }

  async #answer(
    listener: Listener,
    request: IncomingMessage,
    response: ServerResponse,
    sendContinue?: () => void,
  ): Promise<void> {
    if (this.#context.stopping.aborted) return sendPlain(response, stopping.status, stopping.reason);
    const base = this.#scopeOf(listener, request, ['http', 'https']);
    if ('status' in base) return sendPlain(response, base.status, base.reason);
    const { method = 'GET' } = request;
    const extensions = { stopping: this.#context.stopping };
    // Copies of an object with so many fields are slow.
    const scope = Object.assign(base, { type: 'http', method, extensions }) as ConnectionFacts & HttpScope;
    const release = this.#admit(request, scope);
    if (release === undefined) return sendPlain(response, 429, 'there are too many requests of this client');
    const startedAt = performance.now();
    const out = new Response(response, 'http.response', this.#context.limits.pongMs);
    const exchange = new HttpExchange(
      request,
      out,
      () => response.closed || response.destroyed,
      sendContinue,
    );
    const connection = new HttpConnection(scope.path, exchange, response);
    response.once('close', () => {
      connection.goneAt = Date.now();
      release();
      exchange.wake();
      exchange.discardBody();
      const { status, bodyBytes } = out;
      this.#reportRequest(scope, method, status, bodyBytes, performance.now() - startedAt);
    });
    const error = await this.#context.instances.run(connection, scope, exchange.receive, exchange.send);
    if (error instanceof NoRouteError && !out.isStarted) return out.fail(404, 'Not Found');
    if (error !== undefined) this.#context.report?.({ type: 'applicationFailed', path: scope.path, error });
    if (!out.isDone) out.fail(500, 'Internal Server Error');
  }

  /** Answers a request that asks for another protocol. */
  onUpgrade(listener: Listener, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const before = this.#current.get(socket);
    this.#upgraded.add(socket);
    if (before !== undefined && !before.closed) socket.destroy();
    else if (asksForWebSocket(request)) this.#openSocket(listener, request, socket, head);
    // Whoever offers another protocol is glad of an answer in this one; but no one reads a body any more.
    else if (hasBody(request))
      refuse(request, socket, { status: 400, reason: 'only WebSocket is spoken here' });
    else void this.#answer(listener, request, responseOn(request, socket));
  }

  #openSocket(listener: Listener, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const base = this.#scopeOf(listener, request, ['ws', 'wss']);
    const problem = this.#context.stopping.aborted ? stopping : handshakeProblem(request);
    if ('status' in base || problem !== undefined) {
      refuse(request, socket, 'status' in base ? base : (problem ?? stopping));
      return;
    }
    const account = new ServerSocketExtension(this.#context.queued, (error) =>
      this.#context.report?.({ type: 'badMessage', path: base.path, error }),
    );
    const subprotocols = subprotocolsOf(request.headers['sec-websocket-protocol']);
    const scope: WebsocketScope = {
      ...base,
      type: 'websocket',
      subprotocols,
      extensions: { socket: account, stopping: this.#context.stopping },
    };
    const release = this.#admit(request, scope);
    if (release === undefined) {
      refuse(request, socket, { status: 429, reason: 'there are too many sockets of this client' });
      return;
    }
    const connection = new WebsocketConnection({
      request,
      socket,
      head,
      scope,
      extension: account,
      upgrader: this.#context.upgrader,
      limits: this.#context.limits,
      onOpen: (opened) => {
        this.#context.sockets.set(opened.id, opened);
        this.#context.report?.({ type: 'socketOpened', socket: opened.report() });
      },
      onClose: (closed, code, reason) => {
        release();
        this.#context.sockets.delete(closed.id);
        const report = closed.report();
        account.queuedBytes = 0;
        if (closed.isOpen)
          return this.#context.report?.({ type: 'socketClosed', socket: report, code, reason });
        const { status, bodyBytes } = closed.denial;
        this.#reportRequest(scope, 'GET', status, bodyBytes, report.ageMs);
      },
    });
    void this.#runSocket(connection, scope);
  }

  async #runSocket(connection: WebsocketConnection, scope: WebsocketScope): Promise<void> {
    const error = await this.#context.instances.run(connection, scope, connection.receive, connection.send);
    if (error instanceof NoRouteError && !connection.isOpen) return connection.refuse(404, 'Not Found');
    if (error !== undefined) this.#context.report?.({ type: 'applicationFailed', path: scope.path, error });
    connection.refuse(500, 'Internal Server Error');
    if (error === undefined) connection.close(1000, '');
    else connection.close(1011, 'internal error');
  }

  /** What HTTP and WebSocket scopes have in common; or why the request is refused. */
  #scopeOf(
    { server, isSecure: isTls }: Listener,
    request: IncomingMessage,
    schemes: readonly [plain: string, secure: string],
  ): ConnectionFacts | Refusal {
    const headers = readHeaders(request);
    if (isRefusal(headers)) return headers;
    const { remoteAddress: address, remotePort: port = 0 } = request.socket;
    const { client, isSecure } = this.#context.proxies.originOf({ address, port, isSecure: isTls }, headers);
    const { path, rawPath, queryString } = readTarget(request.url ?? '/');
    return {
      asgi,
      httpVersion: request.httpVersion,
      scheme: schemes[isSecure ? 1 : 0],
      path,
      rawPath,
      queryString,
      rootPath: '',
      headers,
      client,
      server,
      state: { ...this.#context.state },
    };
  }

  /** Connections of a trusted proxy are those of many clients, which are counted one by one. */
  #admit({ socket }: IncomingMessage, { client }: ConnectionScope): (() => void) | undefined {
    if (client === null || !this.#context.proxies.has(socket.remoteAddress)) return () => undefined;
    return this.#context.counts.openFor(client[0]);
  }

  #reportRequest(
    { path, client }: ConnectionScope,
    method: string,
    status: number,
    bodyBytes: number,
    durationMs: number,
  ): void {
    this.#context.report?.({
      type: 'request',
      method,
      path,
      client: client?.[0] ?? null,
      status,
      bodyBytes,
      durationMs,
    });
  }
}

/** Answers a request whose connection Node has taken off its server, and ends the connection. */
function refuse(request: IncomingMessage, socket: Duplex, { status, reason }: Refusal): void {
  sendPlain(responseOn(request, socket), status, reason);
}
