// What consumers for browsers have in common: a channel, groups, and one message of client or channel at a time.

import type { Message, Receive, Scope, Send } from '../application.js';
import { Consumer, type ConsumerOptions } from '../consumer.js';
import { ClientGoneError, MalformedMessageError, NoHandlerError } from '../errors.js';
import { ConnectionInput } from './connection-input.js';
import { isConnectionScope, type SocketExtension } from './protocol.js';

/**
 * A consumer on a connection. With a layer it has a channel of its own, `channelName`, unless `ownChannel` is false. It
 * handles messages of client and channel one at a time. It reports and drops a bad message of the channel.
 */
export abstract class ConnectionConsumer<M extends Message = Message> extends Consumer<M> {
  static override readonly reserved: readonly string[] = [
    'groupAdd',
    'groupDiscard',
    'input',
    'tooSlow',
    'end',
  ];

  /** Groups that the consumer is in from before `connect` or `handle` until the end. */
  readonly groups: readonly string[] = [];

  readonly #hasChannel: boolean;
  #channelName: string | undefined;
  #extension: SocketExtension | undefined;
  readonly #joined = new Set<string>();

  constructor({ layer, ownChannel = layer !== undefined }: ConsumerOptions = {}) {
    super({ layer });
    this.#hasChannel = ownChannel;
  }

  override get channelName(): string | undefined {
    return this.#channelName;
  }

  /** Joins a group until the end of the connection. @throws ChannelsError (`CHANNELS_ERR_NO_LAYER`) without a layer */
  async groupAdd(group: string): Promise<void> {
    await this.layer.groupAdd(group, this.#channelName ?? '');
    this.#joined.add(group);
    this.#extension?.groups.add(group);
  }

  /** Leaves a group. */
  async groupDiscard(group: string): Promise<void> {
    this.#joined.delete(group);
    this.#extension?.groups.delete(group);
    await this.layer.groupDiscard(group, this.#channelName ?? '');
  }

  override async run(scope: Scope, receive: Receive, send: Send): Promise<void> {
    this.#extension = isConnectionScope(scope) ? scope.extensions.socket : undefined;
    if (!this.#hasChannel) return await super.run(scope, receive, send);
    const channel = await this.layer.newChannel();
    this.#channelName = channel;
    const input = new ConnectionInput({
      receive,
      layer: this.layer,
      channel,
      onBadMessage: (error) => this.#extension?.report(error),
      onOverflow: () => void this.tooSlow(),
    });
    try {
      await super.run(scope, input.receive, send);
    } finally {
      input.end();
      // A layer that is away lets the memberships expire.
      await Promise.allSettled(Array.from(this.#joined, (group) => this.layer.groupDiscard(group, channel)));
    }
  }

  /** Passes a message of the server to `input`, and one of the channel to its handler. */
  override async dispatch(message: Message): Promise<void> {
    try {
      if (/^(?:websocket|http)\./.test(message.type)) await this.input(message);
      else await super.dispatch(message);
    } catch (error) {
      // The disconnect message comes next.
      if (error instanceof ClientGoneError) return;
      const isBad = error instanceof NoHandlerError || error instanceof MalformedMessageError;
      if (!isBad || error.type !== message.type || this.#extension === undefined) throw error;
      this.#extension.report(error);
    }
  }

  /** The server's record of this socket; undefined in a test without a server. */
  protected get extension(): SocketExtension | undefined {
    return this.#extension;
  }

  /** Handles a message of the server. */
  protected abstract input(message: Message): Promise<void>;

  /** Ends the connection: the consumer cannot keep up with its channel. */
  protected abstract tooSlow(): Promise<void>;
}
