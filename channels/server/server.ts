// The protocol server: takes connections, runs an application instance for each request and socket, and stops.

import { setMaxListeners } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Application } from '../application.js';
import { ApplicationInstances } from './application-instances.js';
import { ConnectionCounts } from './connection-counts.js';
import type { ServerEvent, SocketReport } from './events.js';
import { Lifespan } from './lifespan.js';
import { type Listener, openListeners } from './listen.js';
import { completeLimits, type ServerLimits, type ServerOptions } from './options.js';
import { Upgrader } from './request/handshake.js';
import { TrustedProxies } from './request/proxies.js';
import { RequestHandler } from './request/request-handler.js';
import type { WebsocketConnection } from './websocket-connection.js';

/** A running server. */
export interface Server {
  /** Where it listens, as `listen` takes it: `127.0.0.1:8000`, `unix:/run/site.sock`. */
  readonly addresses: readonly string[];
  /** The open WebSockets. */
  sockets(): SocketReport[];
  /** Closes a WebSocket by its id. @returns whether it was open. Default code 1001. */
  closeSocket(id: string, code?: number, reason?: string): boolean;
  /**
   * Stops: takes no new connections, answers requests with 503, closes sockets with 1012, and waits until the applications
   * have ended. After `graceMs` ms (default 10,000) it ends the rest. A second call with a shorter grace stops it sooner.
   */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>;
}

/**
 * Serves an application over HTTP and WebSocket.
 *
 * @throws ListenError (`CHANNELS_ERR_LISTEN`), StartupFailedError (`CHANNELS_ERR_STARTUP_FAILED`), InvalidOptionError
 * @example
 * const server = await serve(application, { listen: '127.0.0.1:8000' });
 * process.once('SIGTERM', () => server.close());
 */
export async function serve(application: Application, options: ServerOptions = {}): Promise<Server> {
  const server = new ProtocolServer(application, options);
  await server.start();
  return server;
}

/** The longest time between two sweeps, which end what takes too long. */
const sweepMs = 1000;

class ProtocolServer implements Server {
  readonly #options: ServerOptions;
  readonly #application: Application;

  // What it is made of.
  readonly #limits: ServerLimits;
  readonly #proxies: TrustedProxies;
  readonly #counts: ConnectionCounts;
  readonly #lifespan: Lifespan;
  readonly #instances: ApplicationInstances;
  readonly #handler: RequestHandler;

  // What is open.
  #listeners: readonly Listener[] = [];
  readonly #connections = new Set<Socket>();
  readonly #sockets = new Map<string, WebsocketConnection>();

  // How it stops: first it drains, and after the grace it is cut.
  readonly #stopping = new AbortController();
  readonly #cut = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(application: Application, options: ServerOptions) {
    // Every stream of events listens to it.
    setMaxListeners(0, this.#stopping.signal);
    this.#options = options;
    this.#application = application;
    this.#limits = completeLimits(options.limits);
    this.#proxies = new TrustedProxies(options.trustedProxies);
    this.#counts = new ConnectionCounts(this.#limits);
    this.#lifespan = new Lifespan((error) => this.#report({ type: 'lifespanFailed', error }));
    this.#instances = new ApplicationInstances(application, (path, afterMs) =>
      this.#report({ type: 'applicationStuck', path, afterMs }),
    );
    this.#handler = new RequestHandler({
      limits: this.#limits,
      proxies: this.#proxies,
      counts: this.#counts,
      instances: this.#instances,
      queued: { bytes: 0, maxBytes: this.#limits.maxQueuedBytes },
      upgrader: new Upgrader(this.#limits, options.compression ?? false),
      sockets: this.#sockets,
      state: this.#lifespan.state,
      stopping: this.#stopping.signal,
      report: options.onEvent && ((event) => this.#report(event)),
    });
  }

  /** Starts the application, then listens. */
  async start(): Promise<void> {
    await this.#lifespan.start(this.#application);
    try {
      this.#listeners = await openListeners(this.#options.listen, this.#limits, (http, listener) =>
        this.#prepare(http, listener),
      );
    } catch (error) {
      await this.#lifespan.stop();
      throw error;
    }
    const { handshakeMs, pingMs, pongMs, lifetimeMs, applicationMs } = this.#limits;
    const shortestMs = Math.min(handshakeMs, pingMs, pongMs, lifetimeMs, applicationMs);
    const timer = setInterval(() => this.#sweep(), Math.max(10, Math.min(sweepMs, shortestMs / 2))).unref();
    this.#cut.signal.addEventListener('abort', () => clearInterval(timer));
  }

  get addresses(): readonly string[] {
    return this.#listeners.map(({ address }) => address);
  }

  sockets(): SocketReport[] {
    return Array.from(this.#sockets.values(), (socket) => socket.report());
  }

  closeSocket(id: string, code = 1001, reason = ''): boolean {
    this.#sockets.get(id)?.close(code, reason);
    return this.#sockets.has(id);
  }

  async close({ graceMs = 10_000 }: { readonly graceMs?: number | undefined } = {}): Promise<void> {
    const timer = setTimeout(() => this.#terminate(graceMs), graceMs);
    this.#closed ??= this.#stop();
    await this.#closed.finally(() => clearTimeout(timer));
  }

  #prepare(http: HttpServer, listener: () => Listener): void {
    http.on('connection', (socket) => this.#count(socket));
    // With TLS, requests come on a second socket, around the one that connected.
    http.on('setSecureContext' in http ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    http.on('error', (error) => {
      if (http.listening) this.#report({ type: 'listenerFailed', address: listener().address, error });
    });
    // Node would answer an unknown expectation itself, whatever else is wrong with the request.
    for (const event of ['request', 'checkExpectation'])
      http.on(event, (request, response) => this.#handler.onRequest(listener(), request, response));
    http.on('checkContinue', (request, response) =>
      this.#handler.onRequest(listener(), request, response, () => response.writeContinue()),
    );
    http.on('upgrade', (request, socket, head) => this.#handler.onUpgrade(listener(), request, socket, head));
  }

  /** Counts a connection, or closes it when there are too many. */
  #count(socket: Socket): void {
    const { remoteAddress } = socket;
    const isCounted = remoteAddress !== undefined && !this.#proxies.has(remoteAddress);
    const release = this.#counts.open();
    const releaseAddress = isCounted ? this.#counts.openFor(remoteAddress) : () => undefined;
    socket.once('close', () => {
      release?.();
      releaseAddress?.();
    });
    if (release === undefined || releaseAddress === undefined) socket.destroy();
  }

  #sweep(): void {
    this.#instances.sweep(Date.now(), this.#limits.applicationMs);
    if (this.#stopping.signal.aborted) for (const { http } of this.#listeners) http.closeIdleConnections();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    const closed = this.#listeners.map(
      ({ http }) => new Promise<void>((resolve) => void http.close(() => resolve())),
    );
    // Node closes only those idle connections that have had a request.
    for (const socket of this.#connections) if (!this.#handler.isBusy(socket)) socket.destroy();
    this.#instances.shutDown();
    const ended = Promise.all([...closed, this.#instances.ended()]);
    // The instances end, or are reported, one turn of the loop after they are cut.
    const cut = new Promise<void>((resolve) => {
      this.#cut.signal.addEventListener('abort', () => setImmediate(() => setImmediate(resolve)));
    });
    await Promise.race([ended, cut]);
    await Promise.race([this.#lifespan.stop(), cut]);
    this.#cut.abort();
  }

  #terminate(afterMs: number): void {
    this.#instances.terminate(afterMs);
    for (const { http } of this.#listeners) http.closeAllConnections();
    this.#cut.abort();
  }

  #report(event: ServerEvent): void {
    this.#options.onEvent?.(event);
  }
}
