// What happens to a request: the server refuses it, or an application instance answers it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ConnectionFacts, ConnectionScope, HttpScope, WebsocketScope } from '../../browser/protocol.js';
import { NoRouteError } from '../../errors.js';
import { endRequestSpan, requestSpan } from '../../tracing/requests.js';
import type { ApplicationInstances } from '../application-instances.js';
import type { ConnectionCounts } from '../connection-counts.js';
import type { ServerEvent } from '../events.js';
import { HttpConnection, hasBody } from '../http-connection.js';
import type { Listener } from '../listen.js';
import type { ServerLimits } from '../options.js';
import { type QueuedTotal, ServerSocketExtension } from '../socket-extension.js';
import { WebsocketConnection } from '../websocket-connection.js';
import { asksForWebSocket, handshakeProblem, subprotocolsOf, type Upgrader } from './handshake.js';
import { isRefusal, type Refusal, readHeaders, readTarget } from './head.js';
import type { TrustedProxies } from './proxies.js';
import { responseOn, sendPlain } from './response.js';

const asgi = Object.freeze({ version: '3.0', specVersion: '2.5' } as const);

/** How many pipelined requests may wait on a connection. The server closes a connection with more. */
const maxWaiting = 100;

/** The parts of the server that requests need. */
export interface RequestContext {
  readonly limits: ServerLimits;
  readonly proxies: TrustedProxies;
  /** Counts the clients of trusted proxies here, and TCP connections in the server. */
  readonly counts: ConnectionCounts;
  readonly instances: ApplicationInstances;
  readonly queued: QueuedTotal;
  readonly upgrader: Upgrader;
  /** The open WebSockets by their ids. */
  readonly sockets: Map<string, WebsocketConnection>;
  /** What the application put there in its lifespan. */
  readonly state: Readonly<Record<string, unknown>>;
  /** Aborted when the server begins to stop. */
  readonly stopping: AbortSignal;
  readonly report: ((event: ServerEvent) => void) | undefined;
}

/** A request that the application may see. */
interface Admitted {
  readonly facts: ConnectionFacts;
  /** Whether the peer itself is a trusted proxy. */
  readonly isProxied: boolean;
  /** Called when the connection is over. */
  readonly release: () => void;
}

export class RequestHandler {
  readonly #context: RequestContext;
  /** The last response of each connection. Pipelined requests wait until it is closed. */
  readonly #current = new WeakMap<object, ServerResponse>();
  /** How many requests wait on a connection. */
  readonly #waiting = new WeakMap<object, number>();
  readonly #upgraded = new WeakSet<object>();

  constructor(context: RequestContext) {
    this.#context = context;
  }

  /** Whether this connection is a WebSocket, or waits for a response. */
  isBusy(socket: object): boolean {
    return this.#current.get(socket)?.closed === false || this.#upgraded.has(socket);
  }

  /** Answers the requests of a connection one at a time. A client may send many at once. */
  onRequest(
    listener: Listener,
    request: IncomingMessage,
    response: ServerResponse,
    sendContinue?: () => void,
  ): void {
    const { socket } = request;
    const before = this.#current.get(socket);
    this.#current.set(socket, response);
    // Without `100 Continue` a client may omit the body. The next request could then be mistaken for it.
    if (sendContinue !== undefined) response.shouldKeepAlive = false;
    // After a response that ends the connection, nothing is answered.
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

  /** Handles a request that asks for another protocol. */
  onUpgrade(listener: Listener, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const before = this.#current.get(socket);
    this.#upgraded.add(socket);
    if (!socket.writable || before?.closed === false) socket.destroy();
    else if (asksForWebSocket(request)) void this.#openSocket(listener, request, socket, head);
    // Node reads no body after an upgrade. Without a body, the answer may be in HTTP.
    else if (hasBody(request))
      refuse(request, socket, { status: 400, reason: 'only WebSocket is spoken here' });
    else void this.#answer(listener, request, responseOn(request, socket));
  }

  async #answer(
    listener: Listener,
    request: IncomingMessage,
    response: ServerResponse,
    sendContinue?: () => void,
  ): Promise<void> {
    const admitted = this.#admit(listener, request, ['http', 'https']);
    if ('status' in admitted) return sendPlain(response, admitted.status, admitted.reason);
    const { limits, stopping } = this.#context;
    const { method = 'GET' } = request;
    // Copies of an object with so many fields are slow.
    const extensions = { stopping, isProxied: admitted.isProxied };
    const own = { type: 'http', method, extensions } as const;
    const scope = Object.assign(admitted.facts, own) as ConnectionFacts & HttpScope;
    const startedAt = performance.now();
    const span = requestSpan(scope);
    const stalledMs = limits.pongMs;
    const connection = new HttpConnection({ path: scope.path, request, response, stalledMs, sendContinue });
    const out = connection.response;
    response.once('close', () => {
      admitted.release();
      this.#reportRequest(scope, method, out, performance.now() - startedAt);
      endRequestSpan(span, out.status);
    });
    const run = () => this.#context.instances.run(connection, scope);
    const error = await (span === undefined ? run() : span.run(run));
    if (error instanceof NoRouteError && !out.isStarted) return out.fail(404, 'Not Found');
    this.#reportFailure(scope, error);
    if (!out.isDone) out.fail(500, 'Internal Server Error');
  }

  /** Runs an instance for a WebSocket, unless its handshake is refused. */
  async #openSocket(
    listener: Listener,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    const admitted = handshakeProblem(request) ?? this.#admit(listener, request, ['ws', 'wss']);
    if ('status' in admitted) return refuse(request, socket, admitted);
    const { facts, isProxied, release } = admitted;
    const { limits, queued, sockets, stopping, upgrader } = this.#context;
    const extension = new ServerSocketExtension(queued, (error) =>
      this.#context.report?.({ type: 'badMessage', path: facts.path, error }),
    );
    const subprotocols = subprotocolsOf(request.headers['sec-websocket-protocol']);
    const extensions = { socket: extension, stopping, isProxied };
    const scope: WebsocketScope = { ...facts, type: 'websocket', subprotocols, extensions };
    const connection = new WebsocketConnection({
      request,
      socket,
      head,
      scope,
      extension,
      upgrader,
      limits,
      onOpen: (opened) => {
        sockets.set(opened.id, opened);
        this.#context.report?.({ type: 'socketOpened', socket: opened.report() });
      },
      onClose: (closed, code, reason) => {
        release();
        sockets.delete(closed.id);
        const report = closed.report();
        extension.queuedBytes = 0;
        if (closed.isOpen) this.#context.report?.({ type: 'socketClosed', socket: report, code, reason });
        else this.#reportRequest(scope, 'GET', closed.denial, report.ageMs);
      },
    });
    const error = await this.#context.instances.run(connection, scope);
    if (error instanceof NoRouteError && !connection.isOpen) return connection.refuse(404, 'Not Found');
    this.#reportFailure(scope, error);
    connection.refuse(500, 'Internal Server Error');
    if (error === undefined) connection.close(1000, '');
    else connection.close(1011, 'internal error');
  }

  /** Makes what HTTP and WebSocket scopes have in common. Counts the client if the request comes through a proxy. */
  #admit(
    { server, isSecure: isTls }: Listener,
    request: IncomingMessage,
    [plain, secure]: readonly [plain: string, secure: string],
  ): Admitted | Refusal {
    const { proxies, counts, state, stopping } = this.#context;
    if (stopping.aborted) return { status: 503, reason: 'the server is stopping' };
    const headers = readHeaders(request);
    if (isRefusal(headers)) return headers;
    const { remoteAddress: address, remotePort: port = 0 } = request.socket;
    // Only a peer on a Unix socket has no address. A client that has just left must not pass for it: it may be trusted.
    if (address === undefined && server?.[1] !== null) return { status: 400, reason: 'the client has left' };
    const isProxied = proxies.has(address);
    const { client, isSecure } = proxies.originOf({ address, port, isSecure: isTls }, headers);
    // The server has counted the connection of a direct client.
    const isCounted = client !== null && isProxied;
    const release = isCounted ? counts.openFor(client[0]) : () => undefined;
    if (release === undefined) return { status: 429, reason: 'this client has too many connections' };
    const { path, rawPath, queryString } = readTarget(request.url ?? '/');
    const facts: ConnectionFacts = {
      asgi,
      httpVersion: request.httpVersion,
      scheme: isSecure ? secure : plain,
      path,
      rawPath,
      queryString,
      rootPath: '',
      headers,
      client,
      server,
      state: { ...state },
    };
    return { facts, isProxied, release };
  }

  #reportFailure({ path }: ConnectionScope, error: Error | undefined): void {
    if (error !== undefined) this.#context.report?.({ type: 'applicationFailed', path, error });
  }

  #reportRequest(
    { path, client }: ConnectionScope,
    method: string,
    { status, bodyBytes }: { readonly status: number; readonly bodyBytes: number },
    durationMs: number,
  ): void {
    const sent = { status, bodyBytes, durationMs };
    this.#context.report?.({ type: 'request', method, path, client: client?.[0] ?? null, ...sent });
  }
}

/** Answers a request whose connection Node has taken off its server, and ends the connection. */
function refuse(request: IncomingMessage, socket: Duplex, { status, reason }: Refusal): void {
  sendPlain(responseOn(request, socket), status, reason);
}
