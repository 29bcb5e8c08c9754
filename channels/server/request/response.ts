// An HTTP response as an application sends it: one start, then parts of the body, at the pace of the client.

import { once } from 'node:events';
import { type IncomingMessage, ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Message } from '../../application.js';
import type { HeaderList } from '../../browser/protocol.js';
import { ClientGoneError, ProtocolError } from '../../errors.js';

/** A response to a request, or to a WebSocket handshake that is denied. */
export class Response {
  readonly #response: ServerResponse;
  /** Of message types, before `.start`. */
  readonly #prefix: string;
  readonly #stalledMs: number;
  #head: { readonly status: number; readonly headers: string[] } | undefined;
  /** Bytes of the body so far. */
  bodyBytes = 0;
  #isDone = false;

  /** @param stalledMs how long the client may read nothing before the connection is ended */
  constructor(response: ServerResponse, prefix: string, stalledMs: number) {
    response.strictContentLength = true;
    this.#response = response;
    this.#prefix = prefix;
    this.#stalledMs = stalledMs;
  }

  /** Whether the application has sent the start. */
  get isStarted(): boolean {
    return this.#head !== undefined;
  }

  /** Whether the application has sent all of the body. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** What the client saw; 0 when nothing was sent to it. */
  get status(): number {
    return this.#response.headersSent ? this.#response.statusCode : 0;
  }

  /**
   * Takes a message of the application. Resolves when more may be sent.
   *
   * @throws ProtocolError for a message that is malformed, or not allowed now; ClientGoneError
   */
  async take(message: Message): Promise<void> {
    if (this.#response.destroyed && !this.#isDone) throw new ClientGoneError();
    if (message.type === `${this.#prefix}.start`) {
      if (this.#head !== undefined) throw new ProtocolError(`${message.type} was sent twice`);
      this.#head = readStart(message);
    } else if (message.type === `${this.#prefix}.body`) {
      await this.#write(readBody(message), readFlag(message, 'more_body'));
    } else {
      throw new ProtocolError(
        `expected ${this.#prefix}.start or ${this.#prefix}.body, got: ${JSON.stringify(message.type)}`,
      );
    }
  }

  /** Sends a short answer of the server itself, if the response has not begun; else breaks the connection off. */
  fail(status: number, reason: string): void {
    if (this.#response.destroyed) return;
    if (this.#response.headersSent) {
      if (!this.#isDone) this.#response.destroy();
      return;
    }
    this.#isDone = true;
    sendPlain(this.#response, status, reason);
  }

  async #write(body: Uint8Array, hasMore: boolean): Promise<void> {
    const response = this.#response;
    if (this.#head === undefined) throw new ProtocolError(`expected ${this.#prefix}.start before the body`);
    if (this.#isDone) throw new ProtocolError(`the response is over; no more ${this.#prefix}.body is taken`);
    try {
      if (!response.headersSent) this.#sendHead(this.#head, body.length, hasMore);
      this.bodyBytes += body.length;
      if (hasMore) {
        if (body.length === 0) response.flushHeaders();
        else if (!response.write(body)) await this.#drained();
        return;
      }
      this.#isDone = true;
      response.end(body);
    } catch (error) {
      if (error instanceof ClientGoneError) throw error;
      // Half a response must not look like a whole one.
      response.destroy();
      throw new ProtocolError(`the response cannot be sent: ${String(error)}`, { cause: error });
    }
    // A client that does not read the rest must not hold the connection.
    if (response.writableLength > 0) response.socket?.setTimeout(this.#stalledMs);
  }

  #sendHead(
    { status, headers }: { status: number; headers: string[] },
    length: number,
    hasMore: boolean,
  ): void {
    const hasBody = status >= 200 && status !== 204 && status !== 304;
    const isKnown = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-length');
    if (!hasMore && hasBody && !isKnown && this.#response.req.method !== 'HEAD')
      headers.push('content-length', String(length));
    this.#response.writeHead(status, headers);
  }

  async #drained(): Promise<void> {
    const response = this.#response;
    response.socket?.setTimeout(this.#stalledMs);
    const left = new AbortController();
    const onClose = () => left.abort();
    response.once('close', onClose);
    try {
      await once(response, 'drain', { signal: left.signal });
      response.socket?.setTimeout(0);
    } catch {
      throw new ClientGoneError();
    } finally {
      response.off('close', onClose);
    }
  }
}

/** A response on a connection that Node has taken off its HTTP server, as at an upgrade. The connection ends with it. */
export function responseOn(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  // Node hands out a Duplex, which is a Socket or a TLSSocket here.
  Reflect.apply(response.assignSocket, response, [socket]);
  response.once('finish', () => socket.end(() => socket.destroy()));
  // What the HTTP server does for the connections that it has kept.
  socket.on('drain', () => response.emit('drain')).on('timeout', () => socket.destroy());
  socket.on('error', () => undefined); // `close` follows
  socket.once('close', () => response.destroy());
  return response;
}

/** A short answer of the server itself, after which the connection ends. */
export function sendPlain(response: ServerResponse, status: number, reason: string): void {
  const body = Buffer.from(`${reason}\n`);
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length,
    connection: 'close',
    ...(status === 426 ? { 'sec-websocket-version': '13' } : {}),
  });
  response.end(body);
}

/** Reads `headers` of a message: names and values in turn, as Node takes them. @throws ProtocolError */
export function readHeaderList(message: Message): string[] {
  const headers: unknown = Reflect.get(message, 'headers') ?? [];
  if (!isHeaderList(headers))
    throw new ProtocolError(`expected headers of ${message.type} to be a list of pairs of texts`);
  const list: string[] = [];
  for (const [name, value] of headers) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch (error) {
      throw new ProtocolError(`a header of ${message.type} is malformed: ${String(error)}`, { cause: error });
    }
    list.push(name, value);
  }
  return list;
}

function isHeaderList(value: unknown): value is HeaderList {
  return (
    Array.isArray(value) &&
    value.every(
      (pair) => Array.isArray(pair) && pair.length === 2 && pair.every((e) => typeof e === 'string'),
    )
  );
}

function readStart(message: Message): { status: number; headers: string[] } {
  const status: unknown = Reflect.get(message, 'status');
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 999)
    throw new ProtocolError(`expected status to be a number from 200 to 999, got: ${String(status)}`);
  const given = readHeaderList(message);
  // How the body is framed is the server's business.
  const kept = given.filter((_, i) => given[i - (i % 2)]?.toLowerCase() !== 'transfer-encoding');
  return { status, headers: kept };
}

function readBody(message: Message): Uint8Array {
  const body: unknown = Reflect.get(message, 'body') ?? noBytes;
  if (body instanceof Uint8Array) return body;
  throw new ProtocolError(`expected body of ${message.type} to be a Uint8Array, got: ${typeof body}`);
}

const noBytes = new Uint8Array();

function readFlag(message: Message, key: string): boolean {
  const flag: unknown = Reflect.get(message, key) ?? false;
  if (typeof flag === 'boolean') return flag;
  throw new ProtocolError(`expected ${key} of ${message.type} to be true or false, got: ${String(flag)}`);
}
