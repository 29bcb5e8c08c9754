// A protocol server of a test's own, and clients that write bytes to it.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';
import WebSocket from 'ws';
import { type Application, NoRouteError } from '../../channels/index.js';
import { type Server, type ServerEvent, type ServerOptions, serve } from '../../channels/server/index.js';
import { until } from './until.js';

export interface RunningServer {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  readonly wsUrl: string;
  readonly events: ServerEvent[];
}

/** Serves on a free port of 127.0.0.1 until the test is over. */
export async function startServer(
  t: Test,
  application: Application,
  options: ServerOptions = {},
): Promise<RunningServer> {
  const events: ServerEvent[] = [];
  const withoutLifespan: Application = async (scope, receive, send) => {
    if (scope.type === 'lifespan') throw new NoRouteError('no lifespan');
    await application(scope, receive, send);
  };
  const server = await serve(withoutLifespan, {
    listen: '127.0.0.1:0',
    onEvent: (event) => events.push(event),
    ...options,
  });
  t.teardown(() => server.close({ graceMs: 0 }));
  const port = Number(/:(\d+)$/.exec(server.addresses[0] ?? '')?.[1]);
  return { server, port, url: `http://127.0.0.1:${port}`, wsUrl: `ws://127.0.0.1:${port}`, events };
}

/** A connection that a test writes bytes to, and what came back on it. */
export class RawClient {
  readonly socket: Socket;
  #received = '';
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
    });
    socket
      .on('error', () => undefined)
      .on('close', () => {
        this.isClosed = true;
      });
  }

  /** Connects to a port of 127.0.0.1, or to a Unix socket. */
  static async connect(t: Test, where: number | string): Promise<RawClient> {
    const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where);
    t.teardown(() => socket.destroy());
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** All bytes so far, each as one character. */
  get received(): string {
    return this.#received;
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  async until(pattern: RegExp): Promise<string> {
    await until(`${pattern} came`, () => pattern.test(this.#received) || this.isClosed);
    return this.#received;
  }

  async closed(): Promise<string> {
    await until('the connection was closed', () => this.isClosed);
    return this.#received;
  }
}

/** The status of the first response to these bytes. */
export async function statusOf(t: Test, port: number, request: string): Promise<number> {
  const client = await RawClient.connect(t, port);
  client.write(request);
  const text = await client.until(/^HTTP\/1\.1 \d{3}.*\r\n\r\n/s);
  client.socket.destroy();
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
}

/** A WebSocket client that keeps what it gets. */
export class SocketClient {
  readonly wire: WebSocket;
  readonly messages: Array<string | Buffer> = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** The status of a response that denied the handshake. */
  status: number | undefined;
  body = '';
  headers: Record<string, string | string[] | undefined> = {};

  constructor(t: Test, url: string, protocols: string[] = [], options: WebSocket.ClientOptions = {}) {
    this.wire = new WebSocket(url, protocols, options);
    t.teardown(() => this.wire.terminate());
    this.wire.on('message', (data: Buffer, isBinary) =>
      this.messages.push(isBinary ? data : data.toString()),
    );
    this.wire.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    this.wire.on('upgrade', ({ headers }) => {
      this.headers = headers;
    });
    this.wire.on('unexpected-response', (_, response) => {
      this.headers = response.headers;
      response.setEncoding('utf8').on('data', (text: string) => {
        this.body += text;
      });
      response.on('end', () => {
        this.status = response.statusCode;
      });
    });
    this.wire.on('error', () => undefined);
  }

  static async open(
    t: Test,
    url: string,
    protocols: string[] = [],
    options: WebSocket.ClientOptions = {},
  ): Promise<SocketClient> {
    const client = new SocketClient(t, url, protocols, options);
    await once(client.wire, 'open');
    return client;
  }

  async hasMessages(count: number): Promise<Array<string | Buffer>> {
    await until(`${count} messages came`, () => this.messages.length >= count || this.closed !== undefined);
    return this.messages;
  }

  async isClosed(): Promise<{ code: number; reason: string }> {
    await until('the socket was closed', () => this.closed !== undefined);
    return { code: 0, reason: '', ...this.closed };
  }

  async isDenied(): Promise<number | undefined> {
    await until('the handshake was denied', () => this.status !== undefined);
    return this.status;
  }
}
