// For tests of applications: plays a browser, without a network or with one.

import type { Application, Message } from './application.js';
import type {
  HeaderList,
  HttpResponseBody,
  HttpResponseStart,
  WebsocketAccept,
  WebsocketClose,
  WebsocketSend,
} from './browser/protocol.js';
import { ChannelsError } from './errors.js';
import { type Server, type ServerOptions, serve } from './server/index.js';
import { readTarget } from './server/request/head.js';
import { ApplicationCommunicator } from './testing.js';

/** The application sent something else than the test asked for. */
export class UnexpectedMessageError extends ChannelsError {
  /** What it sent. */
  readonly received: Message;

  constructor(expected: string, received: Message) {
    super(
      'CHANNELS_ERR_UNEXPECTED_MESSAGE',
      `expected ${expected} of the application, got: ${JSON.stringify(received)}`,
    );
    this.received = received;
  }
}

export interface WebsocketCommunicatorOptions {
  readonly headers?: HeaderList | undefined;
  /** What middleware would have put into the scope: `{ user }`. */
  readonly scope?: Readonly<Record<string, unknown>> | undefined;
  readonly subprotocols?: readonly string[] | undefined;
}

/** What became of a handshake. */
export type Connected =
  | { readonly accepted: true; readonly subprotocol: string | undefined; readonly headers: HeaderList }
  | { readonly accepted: false; readonly code: number }
  | { readonly accepted: false; readonly status: number };

/**
 * Talks to an application as a WebSocket client.
 *
 * Source: django/channels channels/testing/websocket.py.
 * @example
 * const chat = new WebsocketCommunicator(application, '/chat/kitchen/');
 * t.match(await chat.connect(), { accepted: true });
 * await chat.sendJsonTo({ text: 'tere' });
 * t.same(await chat.receiveJsonFrom(), { text: 'tere' });
 * await chat.disconnect();
 */
export class WebsocketCommunicator extends ApplicationCommunicator {
  constructor(application: Application, path: string, options: WebsocketCommunicatorOptions = {}) {
    const { headers = [], subprotocols = [], scope } = options;
    super(application, { ...scopeOf('websocket', path, headers), subprotocols, ...scope });
  }

  /** Asks to connect, and waits for the answer: accepted, closed with a code, or denied with a status. */
  async connect(timeoutMs?: number): Promise<Connected> {
    await this.sendInput({ type: 'websocket.connect' });
    const answer = await this.receiveOutput<WebsocketAccept | WebsocketClose | HttpResponseStart>(timeoutMs);
    if (answer.type === 'websocket.accept')
      return { accepted: true, subprotocol: answer.subprotocol, headers: answer.headers ?? [] };
    if (answer.type === 'websocket.close') return { accepted: false, code: answer.code ?? 1000 };
    if (answer.type === 'websocket.http.response.start') return { accepted: false, status: answer.status };
    throw new UnexpectedMessageError('an answer to the handshake', answer);
  }

  /** Sends text or bytes to the application. */
  async sendTo(data: string | Uint8Array): Promise<void> {
    const message = typeof data === 'string' ? { text: data } : { bytes: data };
    await this.sendInput({ type: 'websocket.receive', ...message });
  }

  async sendJsonTo(content: unknown): Promise<void> {
    await this.sendTo(JSON.stringify(content));
  }

  /** Waits for the next text or bytes. @throws UnexpectedMessageError when the application closes instead */
  async receiveFrom(timeoutMs?: number): Promise<string | Uint8Array> {
    const message = await this.receiveOutput<WebsocketSend>(timeoutMs);
    const { type, text, bytes } = message;
    const data = text ?? bytes;
    if (type === 'websocket.send' && data !== undefined && (text === undefined || bytes === undefined))
      return data;
    throw new UnexpectedMessageError('either text or bytes', message);
  }

  /** Waits for the next text, and reads it as JSON. @throws UnexpectedMessageError for bytes, too */
  async receiveJsonFrom(timeoutMs?: number): Promise<unknown> {
    const data = await this.receiveFrom(timeoutMs);
    if (typeof data === 'string') return JSON.parse(data);
    const message = { type: 'websocket.send', bytes: data };
    throw new UnexpectedMessageError('text', message);
  }

  /** Leaves, and waits until the application has ended. */
  async disconnect(code = 1000, timeoutMs?: number): Promise<void> {
    await this.sendInput({ type: 'websocket.disconnect', code, reason: '' });
    await this.wait(timeoutMs);
  }
}

export interface HttpCommunicatorOptions {
  readonly method?: string | undefined;
  readonly headers?: HeaderList | undefined;
  /** What middleware would have put into the scope: `{ user }`. */
  readonly scope?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: string | Uint8Array | undefined;
}

/** A whole response. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
}

/**
 * Sends one request to an application.
 *
 * Source: django/channels channels/testing/http.py.
 * @example const { status, body } = await new HttpCommunicator(application, '/status').getResponse()
 */
export class HttpCommunicator extends ApplicationCommunicator {
  readonly #body: Uint8Array;
  #isSent = false;

  constructor(application: Application, path: string, options: HttpCommunicatorOptions = {}) {
    const { method = 'GET', headers = [], body = '', scope } = options;
    super(application, { ...scopeOf('http', path, headers), method: method.toUpperCase(), ...scope });
    this.#body = typeof body === 'string' ? Buffer.from(body) : body;
  }

  /** Sends the request once, and waits for all of the response. `timeoutMs` is for each part. */
  async getResponse(timeoutMs?: number): Promise<HttpResponse> {
    const isFirst = !this.#isSent;
    this.#isSent = true;
    if (isFirst) await this.sendInput({ type: 'http.request', body: this.#body, more_body: false });
    const start = await this.receiveOutput<HttpResponseStart>(timeoutMs);
    if (start.type !== 'http.response.start')
      throw new UnexpectedMessageError('the start of a response', start);
    const parts: Uint8Array[] = [];
    for (let more: boolean | undefined = true; more; ) {
      const part = await this.receiveOutput<HttpResponseBody>(timeoutMs);
      if (part.type !== 'http.response.body') throw new UnexpectedMessageError('a part of the body', part);
      if (part.body !== undefined) parts.push(part.body);
      more = part.more_body;
    }
    return { status: start.status, headers: start.headers ?? [], body: Buffer.concat(parts) };
  }
}

/**
 * Serves an application on a free port of 127.0.0.1, for tests with a browser or another real client.
 *
 * @example
 * const live = await LiveServer.start(application);
 * t.teardown(() => live.close());
 * const response = await fetch(`${live.url}/status`);
 */
export class LiveServer {
  readonly server: Server;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** `ws://127.0.0.1:PORT` */
  readonly wsUrl: string;

  private constructor(server: Server) {
    this.server = server;
    this.url = `http://${server.addresses[0]}`;
    this.wsUrl = `ws://${server.addresses[0]}`;
  }

  static async start(
    application: Application,
    options: Omit<ServerOptions, 'listen'> = {},
  ): Promise<LiveServer> {
    const server = await serve(application, { ...options, listen: '127.0.0.1:0' });
    return new this(server); // `this` keeps the class name in the bundle
  }

  /** Breaks all connections off. */
  async close(): Promise<void> {
    await this.server.close({ graceMs: 0 });
  }
}

function scopeOf(type: 'http' | 'websocket', path: string, headers: HeaderList) {
  // As a server has it: each byte is one character.
  const target = readTarget(Buffer.from(path).toString('latin1'));
  return {
    type,
    asgi: { version: '3.0', specVersion: '2.5' },
    httpVersion: '1.1',
    scheme: type === 'http' ? 'http' : 'ws',
    ...target,
    rootPath: '',
    headers: headers.map(([name, value]) => [name.toLowerCase(), value] as const),
    client: ['127.0.0.1', 0] as const,
    server: ['127.0.0.1', 80] as const,
    state: {},
    extensions: {},
  };
}
