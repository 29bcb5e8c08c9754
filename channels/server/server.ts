// The protocol server: takes connections, makes an application instance for each request and socket, ends them.

import { setMaxListeners } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Application } from '../application.js';
import { ApplicationInstances } from './application-instances.js';
import { ConnectionCounts } from './connection-counts.js';
import type { ServerEvent, SocketReport } from './events.js';
import { Upgrader } from './handshake.js';
import { Lifespan } from './lifespan.js';
import { type Listener, openListeners } from './listen.js';
import { completeLimits, type ServerLimits, type ServerOptions } from './options.js';
import { TrustedProxies } from './proxies.js';
import { RequestHandler } from './request-handler.js';
import { QueueTotal } from './socket-extension.js';
import type { WebsocketConnection } from './websocket-connection.js';

/** How often is looked for what takes too long, at most; sooner where a limit is shorter. */
const sweepMs = 1000;

/** What `serve` starts and returns as a `Server`. */
export class ProtocolServer {
  readonly #options: ServerOptions;
  readonly #application: Application;
  readonly #limits: ServerLimits;
  readonly #proxies: TrustedProxies;
  readonly #counts: ConnectionCounts;
  readonly #lifespan: Lifespan;
  readonly #instances: ApplicationInstances;
  readonly #handler: RequestHandler;
  readonly #sockets = new Map<string, WebsocketConnection>();
  readonly #connections = new Set<Socket>();
  readonly #stopping = new AbortController();
  readonly #cut = new AbortController();
  #listeners: readonly Listener[] = [];
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
      queued: new QueueTotal(this.#limits.maxQueuedBytes),
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
    const timer = setTimeout(() => this.#breakOff(graceMs), graceMs);
    this.#closed ??= this.#stop();
    await this.#closed.finally(() => clearTimeout(timer));
  }

  #prepare(http: HttpServer, listener: () => Listener): void {
    http.on('connection', (socket) => {
      const { remoteAddress } = socket;
      const isCounted = remoteAddress !== undefined && !this.#proxies.has(remoteAddress);
      const release = this.#counts.open();
      const releaseAddress = isCounted ? this.#counts.openFor(remoteAddress) : () => undefined;
      socket.once('close', () => {
        release?.();
        releaseAddress?.();
      });
      if (release === undefined || releaseAddress === undefined) socket.destroy();
    });
    // With TLS requests come on sockets of their own, made of those that connect.
    http.on('setSecureContext' in http ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    http.on('error', (error) => {
      if (http.listening) this.#report({ type: 'listenerFailed', address: listener().address, error });
    });
    http.on('request', (request, response) => this.#handler.onRequest(listener(), request, response));
    http.on('checkContinue', (request, response) =>
      this.#handler.onRequest(listener(), request, response, () => response.writeContinue()),
    );
    http.on('upgrade', (request, socket, head) => this.#handler.onUpgrade(listener(), request, socket, head));
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
    // Node knows as idle only those that had a request before.
    for (const socket of this.#connections) if (!this.#handler.isBusy(socket)) socket.destroy();
    this.#instances.shutDown();
    const ended = Promise.all([...closed, this.#instances.ended()]);
    const cut = new Promise<void>((resolve) => {
      this.#cut.signal.addEventListener('abort', () => setImmediate(() => setImmediate(resolve)));
    });
    await Promise.race([ended, cut]);
    await Promise.race([this.#lifespan.stop(), cut]);
    this.#cut.abort();
  }

  #breakOff(afterMs: number): void {
    this.#instances.breakOff(afterMs);
    for (const { http } of this.#listeners) http.closeAllConnections();
    this.#cut.abort();
  }

  #report(event: ServerEvent): void {
    this.#options.onEvent?.(event);
  }
}
