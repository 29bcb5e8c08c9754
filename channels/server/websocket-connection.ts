// One WebSocket, as an application receives and sends it: the handshake, messages both ways, the end.

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
import { Inbox } from './inbox.js';
import type { ServerLimits } from './options.js';
import type { Upgrader } from './request/handshake.js';
import { Response, responseOn } from './request/response.js';

export interface WebsocketConnectionOptions {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** The first bytes behind the head of the request. */
  readonly head: Buffer;
  readonly scope: WebsocketScope;
  readonly extension: SocketExtension;
  readonly upgrader: Upgrader;
  readonly limits: ServerLimits;
  readonly onOpen: (socket: WebsocketConnection) => void;
  /** Called once, also when the socket never was open. */
  readonly onClose: (socket: WebsocketConnection, code: number, reason: string) => void;
}

/** Bytes that may wait for the client to read, before `send` waits as well. */
const maxBufferedBytes = 16 * 1024;
/** What may wait for the application to receive, before the server stops reading from the client. */
const maxUnreceived = { messages: 64, bytes: 64 * 1024 };

/**
 * A socket goes through these phases:
 *
 * - `connecting`: the application has neither accepted nor denied. What the client sends waits in Node's socket.
 * - `open`: accepted. Messages go both ways.
 * - `denying`: instead of accepting, the application or the server sends an HTTP response.
 * - `closing`: the close frame was sent, or the client has left. Nothing more is sent.
 */
type Phase = 'connecting' | 'open' | 'denying' | 'closing';

export class WebsocketConnection implements Connection {
  readonly id = randomBytes(6).toString('hex');
  readonly #options: WebsocketConnectionOptions;
  readonly #madeAt = Date.now();

  #phase: Phase = 'connecting';
  goneAt: number | undefined;
  /** From accept on. */
  #wire: WebSocket | undefined;
  /** From the denial on. */
  #denial: Response | undefined;

  // From the client to the application.
  readonly #inbox = new Inbox();
  #unreceivedBytes = 0;
  #received = 0;
  #sent = 0;

  // Whether the client is alive, and how many messages it sends in a second.
  #heardAt = Date.now();
  #pingedAt: number | undefined;
  #second = { startedAt: 0, messages: 0 };

  constructor(options: WebsocketConnectionOptions) {
    this.#options = options;
    this.#inbox.put({ type: 'websocket.connect' });
    const { socket } = options;
    socket.on('readable', this.#onReadable).on('end', this.#onLost);
    socket.on('close', this.#onLost).on('error', this.#onLost);
  }

  readonly receive: Receive = async () => {
    const message = await this.#inbox.receive();
    if (message.type === 'websocket.receive') this.#unreceivedBytes -= sizeOf(message as WebsocketReceive);
    if (this.#wire?.isPaused && !this.#isFull()) this.#wire.resume();
    return message;
  };

  readonly send: Send = async <M extends Message>(message: M): Promise<void> => {
    const { type } = message;
    if (this.#denial !== undefined) return await this.#denial.take(message);
    if (this.#phase === 'closing') throw new ClientGoneError();
    if (this.#phase === 'open') {
      if (type === 'websocket.send') return await this.#sendData(message);
      if (type === 'websocket.close') return this.#closeAs(message);
    } else {
      if (type === 'websocket.accept') return this.#accept(message);
      if (type === 'websocket.close') return this.refuse(403, 'Forbidden');
      if (type.startsWith('websocket.http.response.')) return await this.#beginDenial().take(message);
    }
    throw new ProtocolError(`${JSON.stringify(type)} is not allowed while the socket is ${this.#phase}`);
  };

  get path(): string {
    return this.#options.scope.path;
  }

  /** The response that denied the handshake; status 0 when there was none. */
  get denial(): { readonly status: number; readonly bodyBytes: number } {
    return this.#denial ?? { status: 0, bodyBytes: 0 };
  }

  /** Whether the socket is open, or was. */
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
    // Only when the server reads on does it see the close frame of the client.
    if (this.#wire?.isPaused) this.#wire.resume();
    this.#phase = 'closing';
  }

  /** Denies a handshake that has no answer yet. */
  refuse(status: number, reason: string): void {
    if (this.#phase === 'connecting') this.#beginDenial().fail(status, reason);
    else if (this.#phase === 'denying') this.#denial?.fail(status, reason);
  }

  shutDown(): void {
    this.refuse(503, 'the server is stopping');
    this.close(1012, 'the server is restarting');
  }

  terminate(): void {
    this.#wire?.terminate();
    this.#options.socket.destroy();
  }

  stop(): void {
    this.#inbox.end();
  }

  sweep(now: number): void {
    const { limits } = this.#options;
    if (this.#phase === 'connecting' && now - this.#madeAt > limits.handshakeMs)
      this.refuse(503, 'the application did not answer in time');
    const wire = this.#wire;
    if (wire === undefined || this.goneAt !== undefined) return;
    if (now - this.#madeAt > limits.lifetimeMs) this.close(1001, 'the lifetime of the socket is over');
    if (this.#pingedAt !== undefined) {
      if (now - this.#pingedAt > limits.pongMs) wire.terminate();
      // A paused socket is not read, so that the server would not see the answer.
    } else if (this.#phase === 'open' && !wire.isPaused && now - this.#heardAt >= limits.pingMs) {
      this.#pingedAt = now;
      wire.ping();
    }
  }

  // Connecting: the server reads nothing, but has to see that the client leaves.

  readonly #onReadable = (): void => {
    // Node reports the end of a stream only when it is read.
    if (this.#options.socket.readableLength === 0) this.#options.socket.read();
  };

  readonly #onLost = (): void => {
    this.#endConnecting();
    this.#options.socket.on('error', () => undefined).destroy();
    this.#onGone(1006, '');
  };

  #endConnecting(): void {
    const { socket } = this.#options;
    socket.off('readable', this.#onReadable).off('end', this.#onLost);
    socket.off('close', this.#onLost).off('error', this.#onLost);
  }

  #accept(message: Message): void {
    const { request, socket, head, upgrader } = this.#options;
    this.#endConnecting();
    const wire = upgrader.accept(request, socket, head, message);
    socket.resume();
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

  #beginDenial(): Response {
    const { request, socket, limits } = this.#options;
    this.#endConnecting();
    socket.resume();
    socket.once('close', () => this.#onGone(1006, ''));
    this.#phase = 'denying';
    this.#denial = new Response(responseOn(request, socket), 'websocket.http.response', limits.pongMs);
    return this.#denial;
  }

  // Open.

  /** Returns what to wait for when much is on its way already. */
  #sendData(message: Message): Promise<void> | undefined {
    const wire = this.#wire;
    const data = readData(message);
    if (wire?.readyState !== WebSocket.OPEN) throw new ClientGoneError();
    const options = { binary: typeof data !== 'string' };
    this.#sent++;
    this.#corkForTurn();
    if (wire.bufferedAmount + data.length <= maxBufferedBytes) {
      wire.send(data, options);
      return undefined;
    }
    return new Promise<void>((resolve, reject) => {
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
    if (now - this.#second.startedAt >= 1000) this.#second = { startedAt: now, messages: 0 };
    const { maxMessagesPerSecond } = this.#options.limits;
    // The server does not wait for a client that sends on after the close frame.
    if (++this.#second.messages > 2 * maxMessagesPerSecond) this.#wire?.terminate();
    else if (this.#second.messages > maxMessagesPerSecond)
      this.close(1008, `more than ${maxMessagesPerSecond} messages in a second`);
  }

  #isFull(): boolean {
    return this.#inbox.length >= maxUnreceived.messages || this.#unreceivedBytes >= maxUnreceived.bytes;
  }

  // The end, from any phase.

  #onGone(code: number, reason: string): void {
    if (this.goneAt !== undefined) return;
    this.goneAt = Date.now();
    this.#phase = 'closing';
    const message: WebsocketDisconnect = { type: 'websocket.disconnect', code, reason };
    this.#inbox.end(message);
    this.#options.onClose(this, code, reason);
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
