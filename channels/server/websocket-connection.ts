// One WebSocket, as an application sees it: the handshake, messages both ways at the pace of the slower side, the end.

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Message, Receive, Send } from '../application.js';
import type {
  SocketExtension,
  WebsocketDisconnect,
  WebsocketReceive,
  WebsocketScope,
} from '../browser/protocol.js';
import { ClientGoneError, ProtocolError } from '../errors.js';
import type { Connection } from './application-instances.js';
import type { SocketReport } from './events.js';
import type { Upgrader } from './handshake.js';
import { Inbox } from './inbox.js';
import type { ServerLimits } from './options.js';
import { Response, responseOn } from './response.js';

export interface WebsocketConnectionOptions {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What the client sent behind its head. */
  readonly head: Buffer;
  readonly scope: WebsocketScope;
  readonly extension: SocketExtension;
  readonly upgrader: Upgrader;
  readonly limits: ServerLimits;
  readonly onOpen: (socket: WebsocketConnection) => void;
  readonly onClose: (socket: WebsocketConnection, code: number, reason: string) => void;
}

/** How much may wait in the server for a client to read it, before `send` waits as well. */
const maxBufferedBytes = 16 * 1024;
/** How much may wait in the server for the application to receive it, before the client has to wait. */
const maxUnreceived = { messages: 64, bytes: 64 * 1024 };
/** How much a client may send before it is accepted. */
const maxEarlyBytes = 16 * 1024;

/**
 * The phases: `waiting` for the application's accept or denial; `open`; `denying`, while an HTTP response is sent instead;
 * `over`, when the client is gone or the close frame is on its way.
 */
type Phase = 'waiting' | 'open' | 'denying' | 'over';

export class WebsocketConnection implements Connection {
  readonly id = randomBytes(6).toString('hex');
  readonly #options: WebsocketConnectionOptions;
  readonly #inbox = new Inbox();
  readonly #madeAt = Date.now();
  #phase: Phase = 'waiting';
  #wire: WebSocket | undefined;
  #denial: Response | undefined;
  #early: Buffer[];
  #heardAt = Date.now();
  #pingedAt: number | undefined;
  #unreceivedBytes = 0;
  #window = { startedAt: 0, messages: 0 };
  #sent = 0;
  #received = 0;
  /** When the client left, in milliseconds since 1970; undefined while it is there. */
  goneAt: number | undefined;

  constructor(options: WebsocketConnectionOptions) {
    this.#options = options;
    this.#early = [options.head];
    this.#inbox.put({ type: 'websocket.connect' });
    const { socket } = options;
    socket.on('data', this.#onEarly).on('end', this.#onEarlyEnd).on('close', this.#onEarlyEnd);
    socket.on('error', this.#onEarlyEnd);
  }

  readonly receive: Receive = async () => {
    const message = await this.#inbox.receive();
    if (message.type === 'websocket.receive') this.#unreceivedBytes -= sizeOf(message as WebsocketReceive);
    if (this.#wire?.isPaused && !this.#isFull()) this.#wire.resume();
    return message;
  };

  readonly send: Send = async <M extends Message>(message: M): Promise<void> => {
    if (this.#denial !== undefined) return await this.#deny(this.#denial, message);
    if (this.#phase === 'over') throw new ClientGoneError();
    if (this.#phase === 'open') {
      if (message.type === 'websocket.send') return await this.#sendData(message);
      if (message.type === 'websocket.close') return this.#closeAs(message);
    } else {
      if (message.type === 'websocket.accept') return this.#accept(message);
      if (message.type === 'websocket.close') return this.refuse(403, 'Forbidden');
      if (message.type.startsWith('websocket.http.response.'))
        return await this.#deny(this.#leave(), message);
    }
    throw new ProtocolError(
      `${JSON.stringify(message.type)} is not allowed while the socket is ${this.#phase}`,
    );
  };

  get path(): string {
    return this.#options.scope.path;
  }

  /** The status of the response by which the handshake was denied, 0 before, and the bytes of its body. */
  get denial(): { readonly status: number; readonly bodyBytes: number } {
    return this.#denial ?? { status: 0, bodyBytes: 0 };
  }

  get isOpen(): boolean {
    return this.#wire !== undefined;
  }

  report(): SocketReport {
    const { scope, extension } = this.#options;
    return {
      id: this.id,
      client: scope.client?.[0] ?? null,
      path: scope.path,
      ageMs: Date.now() - this.#madeAt,
      queuedBytes: extension.queuedBytes + (this.#wire?.bufferedAmount ?? 0),
      sent: this.#sent,
      received: this.#received,
      dropped: extension.dropped,
      groups: [...extension.groups],
    };
  }

  /** Closes an open socket. @throws ProtocolError for a code or a reason that the protocol does not have */
  close(code: number, reason: string): void {
    if (this.#phase !== 'open') return;
    try {
      this.#wire?.close(code, reason);
    } catch (error) {
      throw new ProtocolError(`websocket.close is refused: ${String(error)}`, { cause: error });
    }
    // A client that was too fast for the application has to be read on, for its answer.
    if (this.#wire?.isPaused) this.#wire.resume();
    this.#phase = 'over';
  }

  /** Answers a handshake that still waits. */
  refuse(status: number, reason: string): void {
    if (this.#phase === 'waiting') this.#leave().fail(status, reason);
    else if (this.#phase === 'denying') this.#denial?.fail(status, reason);
  }

  shutDown(): void {
    this.refuse(503, 'the server is stopping');
    this.close(1012, 'the server is restarting');
  }

  /** Breaks the connection off. */
  terminate(): void {
    this.#wire?.terminate();
    this.#options.socket.destroy();
  }

  /** From now on `receive` ends the application. */
  stop(): void {
    this.#inbox.end();
  }

  /** Called now and then: ends what takes too long. */
  sweep(now: number): void {
    const { limits } = this.#options;
    if (this.#phase === 'waiting' && now - this.#madeAt > limits.handshakeMs)
      this.refuse(503, 'the application did not answer in time');
    const wire = this.#wire;
    if (wire === undefined || this.goneAt !== undefined) return;
    if (now - this.#madeAt > limits.lifetimeMs) this.close(1001, 'the lifetime of the socket is over');
    if (this.#pingedAt !== undefined) {
      if (now - this.#pingedAt > limits.pongMs) wire.terminate();
      // While the application is behind, nothing is read: no answer would be seen.
    } else if (this.#phase === 'open' && !wire.isPaused && now - this.#heardAt >= limits.pingMs) {
      this.#pingedAt = now;
      wire.ping();
    }
  }

  #accept(message: Message): void {
    const { request, socket, upgrader } = this.#options;
    this.#unwatch();
    const wire = upgrader.accept(request, socket, Buffer.concat(this.#early), message);
    // It may have been paused, when the client sent much before it was accepted.
    socket.resume();
    this.#early = [];
    this.#wire = wire;
    this.#phase = 'open';
    this.#heardAt = Date.now();
    wire.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    wire.on('ping', () => this.#heard());
    wire.on('pong', () => this.#heard());
    wire.on('error', () => undefined); // `close` follows, with the code that says why
    wire.on('close', (code, reason) => this.#onGone(code, reason.toString()));
    this.#options.onOpen(this);
  }

  async #sendData(message: Message): Promise<void> {
    const wire = this.#wire;
    const data = readData(message);
    if (wire?.readyState !== WebSocket.OPEN) throw new ClientGoneError();
    const options = { binary: typeof data !== 'string' };
    this.#sent++;
    this.#corkForTurn();
    if (wire.bufferedAmount + data.length <= maxBufferedBytes) return wire.send(data, options);
    await new Promise<void>((resolve, reject) => {
      wire.send(data, options, (error) => (error ? reject(new ClientGoneError()) : resolve()));
    });
  }

  /** What is sent in one turn of the event loop goes out in one write. */
  #corkForTurn(): void {
    const { socket } = this.#options;
    if (socket.writableCorked > 0) return;
    socket.cork();
    process.nextTick(() => socket.uncork());
  }

  #closeAs(message: Message): void {
    const code: unknown = Reflect.get(message, 'code') ?? 1000;
    const reason: unknown = Reflect.get(message, 'reason') ?? '';
    if (typeof code !== 'number' || typeof reason !== 'string')
      throw new ProtocolError('expected code of websocket.close to be a number, and reason a text');
    this.close(code, reason);
  }

  /** The connection is taken for an HTTP response. */
  #leave(): Response {
    const { request, socket, limits } = this.#options;
    this.#unwatch();
    socket.resume();
    socket.once('close', () => this.#onGone(1006, ''));
    this.#phase = 'denying';
    this.#denial = new Response(responseOn(request, socket), 'websocket.http.response', limits.pongMs);
    return this.#denial;
  }

  async #deny(denial: Response, message: Message): Promise<void> {
    await denial.take(message);
  }

  #onMessage(data: WebSocket.RawData, isBinary: boolean): void {
    this.#heard();
    if (this.#phase !== 'open' || !(data instanceof Buffer)) return;
    this.#received++;
    const message: WebsocketReceive = isBinary
      ? { type: 'websocket.receive', bytes: data }
      : { type: 'websocket.receive', text: data.toString() };
    this.#unreceivedBytes += sizeOf(message);
    this.#inbox.put(message);
    if (this.#isFull()) this.#wire?.pause();
  }

  #heard(): void {
    const now = Date.now();
    this.#heardAt = now;
    this.#pingedAt = undefined;
    if (now - this.#window.startedAt >= 1000) this.#window = { startedAt: now, messages: 0 };
    const { maxMessagesPerSecond } = this.#options.limits;
    // Who does not even stop for the close frame is not waited for.
    if (++this.#window.messages > 2 * maxMessagesPerSecond) this.#wire?.terminate();
    else if (this.#window.messages > maxMessagesPerSecond)
      this.close(1008, `more than ${maxMessagesPerSecond} messages in a second`);
  }

  #isFull(): boolean {
    return this.#inbox.length >= maxUnreceived.messages || this.#unreceivedBytes >= maxUnreceived.bytes;
  }

  #onGone(code: number, reason: string): void {
    if (this.goneAt !== undefined) return;
    this.goneAt = Date.now();
    this.#phase = 'over';
    const message: WebsocketDisconnect = { type: 'websocket.disconnect', code, reason };
    this.#inbox.end(message);
    this.#options.onClose(this, code, reason);
  }

  readonly #onEarly = (chunk: Buffer): void => {
    this.#early.push(chunk);
    const bytes = this.#early.reduce((sum, each) => sum + each.length, 0);
    if (bytes > maxEarlyBytes) this.#options.socket.pause();
  };

  readonly #onEarlyEnd = (): void => {
    this.#unwatch();
    this.#options.socket.on('error', () => undefined).destroy();
    this.#onGone(1006, '');
  };

  #unwatch(): void {
    const { socket } = this.#options;
    socket.off('data', this.#onEarly).off('end', this.#onEarlyEnd).off('close', this.#onEarlyEnd);
    socket.off('error', this.#onEarlyEnd);
  }
}

/** Bytes, or about as many characters. */
function sizeOf({ text, bytes }: WebsocketReceive): number {
  return text?.length ?? bytes?.length ?? 0;
}

function readData(message: Message): string | Uint8Array {
  const text: unknown = Reflect.get(message, 'text') ?? undefined;
  const bytes: unknown = Reflect.get(message, 'bytes') ?? undefined;
  if (typeof text === 'string' && bytes === undefined) return text;
  if (bytes instanceof Uint8Array && text === undefined) return bytes;
  throw new ProtocolError(
    'expected exactly one of text, a string, and bytes, a Uint8Array, in websocket.send',
  );
}
