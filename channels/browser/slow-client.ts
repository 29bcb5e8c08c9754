// What happens to messages for a client that does not read.

import type { Message, Send } from '../application.js';
import { ClientGoneError } from '../errors.js';
import type { SocketExtension, WebsocketSend } from './protocol.js';

/** A message to a client. */
export type SocketData = string | Uint8Array;

export interface DropOptions {
  /** Bytes that may wait. Default 1 MiB. */
  readonly maxBytes?: number | undefined;
  /** Makes a message for the client about the dropped ones. The client gets it in their place. */
  readonly announce?: ((dropped: number) => SocketData) | undefined;
}

/** Chosen by a consumer, as its `slowClient`. Made by `SlowClient.close` and its neighbours. */
export interface SlowClient extends DropOptions {
  readonly kind: 'close' | 'drop' | 'wait';
  readonly keyOf?: ((data: SocketData) => string | undefined) | undefined;
}

export const SlowClient = {
  /** Closes the socket with 1013 when more than `maxBytes` wait. */
  close: ({ maxBytes }: { readonly maxBytes?: number } = {}): SlowClient => ({ kind: 'close', maxBytes }),
  /** Drops the oldest messages that wait. */
  dropOldest: (options: DropOptions = {}): SlowClient => ({ kind: 'drop', ...options }),
  /** Of messages with the same key only the latest waits; those without a key, and too many, as `dropOldest`. */
  latestBy: (keyOf: (data: SocketData) => string | undefined, options: DropOptions = {}): SlowClient => ({
    kind: 'drop',
    keyOf,
    ...options,
  }),
  /** `send` waits. When too many messages of the channel come meanwhile, the socket is closed with 1013. */
  wait: (): SlowClient => ({ kind: 'wait' }),
} as const;

interface Waiting {
  message: Message;
  bytes: number;
  readonly key: string | undefined;
}

const defaultMaxBytes = 1024 * 1024;
/** So much may wait for any client, however much waits for others: a burst makes no client slow. */
const ownBytes = 16 * 1024;

/** The queue of one socket. Messages go straight on while the client reads. */
export class Outbox {
  readonly #send: Send;
  readonly #policy: SlowClient;
  readonly #extension: SocketExtension | undefined;
  #queue: Waiting[] = [];
  /** Those in the queue that have a key. */
  readonly #keyed: Map<string, Waiting> | undefined;
  #bytes = 0;
  #sending: Promise<void> | undefined;
  #unannounced = 0;
  #isClosed = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(send: Send, policy: SlowClient, extension: SocketExtension | undefined) {
    this.#send = send;
    this.#policy = policy;
    this.#extension = extension;
    this.#keyed = policy.keyOf && new Map();
  }

  /** Sends, queues or drops. Waits for the client only where the policy says so. After `close` it does nothing. */
  put(data: SocketData): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#isClosed) return undefined;
    const message = toMessage(data);
    if (this.#sending === undefined) this.#start({ message, bytes: 0, key: undefined });
    else if (this.#policy.kind === 'wait') return this.#sending.then(() => this.put(data));
    else this.#enqueue(message, data);
    return this.#policy.kind === 'wait' ? this.#sending : undefined;
  }

  /** Closes the socket behind what waits. */
  close(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const last = { message: { type: 'websocket.close', code, reason } as Message, bytes: 0, key: undefined };
    if (this.#sending === undefined) this.#start(last);
    else this.#queue.push(last);
  }

  /** Closes it at once, and drops what waits: behind stuck messages, the close frame would not get out. */
  closeNow(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { bytes } of this.#queue.splice(0)) this.#drop(bytes);
    void this.#send({ type: 'websocket.close', code, reason } as Message).catch(() => undefined);
  }

  /** Resolves when nothing waits any more, or nothing can be sent. */
  async flushed(): Promise<void> {
    await this.#sending;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #start(first: Waiting): void {
    this.#queue.push(first);
    this.#sending = this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#send(next);
    } catch (error) {
      this.#isClosed = true;
      this.#queue = [];
      this.#account(-this.#bytes);
      if (!(error instanceof ClientGoneError)) this.#failure = { error };
    }
    this.#sending = undefined;
  }

  #next(): Message | undefined {
    const { announce } = this.#policy;
    if (this.#unannounced > 0 && announce !== undefined && this.#queue.length > 0) {
      const data = announce(this.#unannounced);
      this.#unannounced = 0;
      return toMessage(data);
    }
    const next = this.#shift();
    if (next !== undefined) this.#account(-next.bytes);
    return next?.message;
  }

  #enqueue(message: Message, data: SocketData): void {
    const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    const key = this.#policy.keyOf?.(data);
    const older = key === undefined ? undefined : this.#keyed?.get(key);
    if (older !== undefined) {
      this.#drop(older.bytes);
      older.message = message;
      older.bytes = bytes;
    } else {
      const waiting = { message, bytes, key };
      this.#queue.push(waiting);
      if (key !== undefined) this.#keyed?.set(key, waiting);
    }
    this.#account(bytes);
    if (!this.#isTooFull()) return;
    if (this.#policy.kind === 'close') this.closeNow(1013, 'the client does not read');
    else while (this.#queue.length > 1 && this.#isTooFull()) this.#drop(this.#shift()?.bytes ?? 0);
  }

  #shift(): Waiting | undefined {
    const first = this.#queue.shift();
    if (first?.key !== undefined) this.#keyed?.delete(first.key);
    return first;
  }

  #isTooFull(): boolean {
    const { maxBytes = defaultMaxBytes } = this.#policy;
    if (this.#bytes > maxBytes) return true;
    return this.#bytes > ownBytes && this.#extension?.hasRoom() === false;
  }

  #drop(bytes: number): void {
    this.#account(-bytes);
    this.#unannounced++;
    if (this.#extension !== undefined) this.#extension.dropped++;
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    if (this.#extension !== undefined) this.#extension.queuedBytes = this.#bytes;
  }
}

function toMessage(data: SocketData): WebsocketSend {
  return typeof data === 'string'
    ? { type: 'websocket.send', text: data }
    : { type: 'websocket.send', bytes: data };
}
