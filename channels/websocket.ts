// Consumers for WebSockets.

import type { Message, Receive, Scope, Send } from './application.js';
import { ConnectionConsumer } from './browser/connection-consumer.js';
import type { HeaderList, WebsocketDisconnect, WebsocketReceive } from './browser/protocol.js';
import { Outbox, SlowClient, type SocketData } from './browser/slow-client.js';
import type { HandledTypes } from './consumer.js';
import { ChannelsError, MalformedMessageError, ProtocolError, StopConsumer } from './errors.js';

/** Thrown by `connect` to accept the socket. */
export class AcceptConnection extends ChannelsError {
  constructor() {
    super('CHANNELS_ERR_ACCEPT_CONNECTION', 'the consumer accepts the connection');
  }
}

/** Thrown by `connect` to refuse the socket. */
export class DenyConnection extends ChannelsError {
  constructor() {
    super('CHANNELS_ERR_DENY_CONNECTION', 'the consumer denies the connection');
  }
}

/**
 * A consumer for each WebSocket: `connect`, then `receive` for each message of the client and the handlers of messages on
 * its channel, one at a time, then `disconnect`.
 *
 * Source: django/channels channels/generic/websocket.py.
 * @example
 * class Chat extends WebsocketConsumer<ChatMessage> implements Handlers<ChatMessage> {
 *   override groups = ['chat'];
 *   override async receive(data: SocketData) {
 *     await this.layer.groupSend('chat', { type: 'chat.message', text: String(data) });
 *   }
 *   async chatMessage({ text }: ChatMessage) { await this.send(text); }
 * }
 */
export abstract class WebsocketConsumer<M extends Message = Message> extends ConnectionConsumer<M> {
  static override readonly reserved: readonly string[] = [
    ...['connect', 'receive', 'disconnect', 'accept', 'close'],
    ...['sendJson', 'receiveJson', 'encodeJson', 'decodeJson'],
  ];

  /** What becomes of messages for a client that does not read, from `accept` on. Default `SlowClient.close()`. */
  readonly slowClient: SlowClient = SlowClient.close();

  #outbox: Outbox | undefined;

  /** Called when a client wants to connect. Accepts, or closes to refuse. By default it accepts. */
  async connect(): Promise<void> {
    await this.accept();
  }

  /** Called with each message of the client. */
  receive(_data: SocketData): Promise<void> | void {}

  /** Called when the client has left, or was closed. */
  disconnect(_code: number, _reason: string): Promise<void> | void {}

  /** Accepts the socket. */
  async accept(subprotocol?: string, headers?: HeaderList): Promise<void> {
    await super.send({ type: 'websocket.accept', subprotocol, headers } as Message);
    this.#outbox = new Outbox((message) => super.send(message), this.slowClient, this.extension);
  }

  /** Sends text or bytes to the client; or, as every consumer's, a message of the protocol. */
  override async send<Out extends Message>(message: Out | SocketData): Promise<void> {
    if (typeof message !== 'string' && !(message instanceof Uint8Array)) return await super.send(message);
    if (this.#outbox === undefined) throw new ProtocolError('expected accept() before send()');
    const sent = this.#outbox.put(message);
    if (sent !== undefined) await sent;
  }

  /**
   * Closes the socket, behind what was sent; one that is not accepted yet is refused.
   *
   * @throws ProtocolError for a code that an application cannot send (it can send 1000 to 1003, 1007 to 1014, 3000 to 4999),
   *   or a reason of more than 123 bytes
   */
  async close(code = 1000, reason = ''): Promise<void> {
    // Queued messages may leave much later, when no caller could get this error.
    if (!closeCodes.test(String(code)) || Buffer.byteLength(reason) > 123)
      throw new ProtocolError(
        `a WebSocket cannot be closed with ${code} and a reason of ${reason.length} characters`,
      );
    if (this.#outbox === undefined) await super.send({ type: 'websocket.close', code, reason } as Message);
    else this.#outbox.close(code, reason);
  }

  override async run(scope: Scope, receive: Receive, send: Send): Promise<void> {
    await super.run(scope, receive, send);
    await this.#outbox?.flushed();
  }

  protected override async input(message: Message): Promise<void> {
    if (message.type === 'websocket.connect') await this.#open();
    else if (message.type === 'websocket.receive') {
      const { text, bytes } = message as WebsocketReceive;
      await this.receive(text ?? bytes ?? '');
    } else if (message.type === 'websocket.disconnect') {
      const { code, reason } = message as WebsocketDisconnect;
      await this.disconnect(code, reason ?? '');
      throw new StopConsumer();
    }
  }

  protected override async tooSlow(): Promise<void> {
    if (this.#outbox === undefined) await this.close().catch(() => undefined);
    else this.#outbox.closeNow(1013, 'messages come faster than they are handled');
  }

  async #open(): Promise<void> {
    for (const group of this.groups) await this.groupAdd(group);
    try {
      await this.connect();
    } catch (error) {
      if (error instanceof AcceptConnection) await this.accept();
      else if (error instanceof DenyConnection) await this.close();
      else throw error;
    }
  }
}

const closeCodes = /^(?:100[0-37-9]|101[0-4]|[34]\d{3})$/;

/**
 * The same for clients that speak JSON. With `receives` each message of a client is an object with a `type`, and
 * the parser of that type checks it. Without `receives`, `receiveJson` gets any value.
 *
 * Invalid JSON, and a message that no parser accepts, close the socket with 1007.
 *
 * @example
 * class Chat extends JsonWebsocketConsumer<never, Say> {
 *   override readonly receives = { say: ({ text }) => ({ type: 'say', text: String(text) }) } as const;
 *   override async receiveJson({ text }: Say) { await this.sendJson({ echo: text }); }
 * }
 */
export abstract class JsonWebsocketConsumer<
  M extends Message = Message,
  In extends Message = Message,
> extends WebsocketConsumer<M> {
  /** The types that clients may send: each with `true` or with its parser, as in `handles`. */
  readonly receives?: HandledTypes<In>;

  /** Called with each message of the client. */
  receiveJson(_content: In): Promise<void> | void {}

  /** Sends a value as JSON. */
  async sendJson(content: unknown): Promise<void> {
    await this.send(this.encodeJson(content));
  }

  /** Writes JSON; to be overridden for values that `JSON.stringify` does not know. */
  protected encodeJson(content: unknown): string {
    return JSON.stringify(content);
  }

  /** Reads JSON; what it throws is the client's fault. */
  protected decodeJson(text: string): unknown {
    return JSON.parse(text);
  }

  override async receive(data: SocketData): Promise<void> {
    let content: In;
    try {
      content = this.#parse(data);
    } catch (error) {
      if (!(error instanceof MalformedMessageError)) throw error;
      // The reason of a close frame is short.
      return await this.close(
        1007,
        Buffer.from(error.message)
          .subarray(0, 120)
          .toString()
          .replace(/\uFFFD$/, ''),
      );
    }
    await this.receiveJson(content);
  }

  #parse(data: SocketData): In {
    const content = this.#decode(data);
    if (this.receives === undefined) return content as In;
    const type: unknown =
      typeof content === 'object' && content !== null ? Reflect.get(content, 'type') : undefined;
    const isKnown = typeof type === 'string' && Object.hasOwn(this.receives, type);
    const name = typeof type === 'string' ? type : undefined;
    const known = Object.keys(this.receives).join(', ');
    if (!isKnown) throw new MalformedMessageError(name, new Error(`expected one of type ${known}`));
    const parser: unknown = Reflect.get(this.receives, type);
    try {
      return (typeof parser === 'function' ? parser(content) : content) as In;
    } catch (error) {
      throw new MalformedMessageError(name, error);
    }
  }

  #decode(data: SocketData): unknown {
    if (typeof data !== 'string') throw new MalformedMessageError(undefined, new Error('expected text'));
    try {
      return this.decodeJson(data);
    } catch (error) {
      throw new MalformedMessageError(undefined, error);
    }
  }
}
