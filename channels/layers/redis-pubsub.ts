// The channel layer of a site that shares its Redis with Python processes that use the PubSub layer.

import { randomBytes } from 'node:crypto';
import type { Message, Received } from '../application.js';
import { InvalidOptionError, LayerClosedError, UndecodableError } from '../errors.js';
import {
  type ChannelLayer,
  capacityOf,
  checkChannelName,
  checkGroupName,
  checkMessage,
  checkReceiveMany,
  type DroppedMessage,
  type Extension,
  type LayerOptions,
  type LeaseManyOptions,
  type LeaseOptions,
  type ReceiveManyOptions,
  type SendOutcome,
  type WaitOptions,
} from '../layer.js';
import type { DeadLetterReport, Leased } from '../leases.js';
import type { Listening } from '../listening.js';
import { type CodecOptions, MessageCodec } from '../message-codec.js';
import { allDone, writeEach } from '../outgoing.js';
import { patiently } from '../patience.js';
import {
  type GroupReport,
  type LayerStats,
  layerStats,
  type Peeked,
  type PeekOptions,
  peekAt,
} from '../stats.js';
import type { WaitingQueue } from '../waiting-queue.js';
import type { ConnectionChange } from './redis/connection.js';
import { type Host as HostOption, parseHosts, shardOf } from './redis/hosts.js';
import { checkCount, checkPrefix } from './redis/options.js';
import { Audience, ForeignMemberError } from './redis-pubsub/audience.js';
import { Host } from './redis-pubsub/host.js';

export { ForeignMemberError } from './redis-pubsub/audience.js';

/**
 * Options of `RedisPubSubChannelLayer`. Peers must agree on `hosts`, `prefix`, `serializer` and
 * `symmetricEncryptionKeys`.
 */
export interface RedisPubSubLayerOptions
  extends Pick<LayerOptions, 'capacity' | 'channelCapacity' | 'onDrop' | 'now'>,
    CodecOptions {
  /** Servers as for `RedisChannelLayer`; each name belongs to one of them. Default `['redis://localhost:6379']`. */
  readonly hosts?: readonly HostOption[] | undefined;
  /** What the names of groups and of new channels begin with, without a separator. Default `asgi`. */
  readonly prefix?: string | undefined;
  /** Milliseconds until a call gives Redis up: once for the connection, once for the reply. Default 2,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Told once when a server goes away, and once when it is back and everything is subscribed to again; what was sent
   * in between is lost. Must not throw.
   */
  readonly onConnection?: ((change: ConnectionChange) => void) | undefined;
}

/**
 * A channel layer on Redis's PUBLISH and SUBSCRIBE, byte for byte that of Python's
 * `channels_redis.pubsub.RedisPubSubChannelLayer`. Redis keeps nothing: a message reaches those who listen in that
 * moment, and where nobody does it is lost. Who listens are layer objects: each that receives on a channel gets every
 * message of it, and several receivers of one layer object share them.
 *
 * A layer object listens on a channel from `newChannel` or the first receive on. Until the next receive it keeps
 * `capacity` messages and then drops the oldest, told to `onDrop`; the sender is never refused with ChannelFull, and
 * nothing expires. It stops when a receive is aborted by its signal and nobody else waits on the channel, which then
 * is in no group any more either.
 *
 * Calls reject with LayerUnavailableError within `timeoutMs` when Redis is away; a receive waits and goes on by itself.
 *
 * Source: docs/wire.md section 10.
 * @throws InvalidOptionError
 * @example const layer = new RedisPubSubChannelLayer({ hosts: ['redis://localhost:6379'] })
 */
export class RedisPubSubChannelLayer implements ChannelLayer {
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush', 'stats']);
  readonly #prefix: string;
  readonly #onDrop: ((dropped: DroppedMessage) => void) | undefined;
  readonly #codec: MessageCodec;
  readonly #hosts: readonly Host[];
  readonly #audience: Audience;
  readonly #capacity: (channel: string) => number;
  readonly #now: () => number;
  #closed = false;

  constructor(options: RedisPubSubLayerOptions = {}) {
    this.#prefix = checkPrefix(options.prefix ?? 'asgi');
    const now = options.now ?? Date.now;
    this.#now = now;
    this.#onDrop = options.onDrop;
    this.#codec = new MessageCodec(options, { now });
    this.#capacity = capacityOf(options);
    this.#audience = new Audience({ capacity: this.#capacity, onDrop: this.#onDrop });
    const timeoutMs = checkCount('timeoutMs', options.timeoutMs ?? 2000, 1);
    this.#hosts = parseHosts(options.hosts, this.#prefix).map(
      (address) =>
        new Host({
          address,
          timeoutMs,
          onChange: options.onConnection,
          onMessage: (name, payload) => this.#deliver(name, payload),
          onRefused: (name, error) => this.#audience.fail(error, name),
        }),
    );
  }

  /** Publishes on exactly this name. Resolves when Redis has passed the message on, be it to nobody. */
  async send<M extends Message>(channel: string, message: M, options: WaitOptions = {}): Promise<void> {
    this.#checkChannel(channel);
    const payload = this.#codec.encode(checkMessage(message));
    this.#refuseWhenClosed();
    options.signal?.throwIfAborted();
    await this.#publish(channel, payload, options.signal);
  }

  /** Every message that is one is accepted. */
  async sendMany<M extends Message>(
    channel: string,
    messages: readonly M[],
    options: WaitOptions = {},
  ): Promise<SendOutcome[]> {
    this.#checkChannel(channel);
    this.#refuseWhenClosed();
    options.signal?.throwIfAborted();
    const { outcomes, sendable } = writeEach(messages, (message) => this.#codec.encode(message));
    await allDone(sendable.map(({ bytes }) => this.#publish(channel, bytes, options.signal)));
    return outcomes;
  }

  receive(channel: string, options: LeaseOptions): Promise<Leased>;
  receive(channel: string, options?: WaitOptions): Promise<Received>;
  async receive(
    channel: string,
    { signal, lease }: WaitOptions & Partial<LeaseOptions> = {},
  ): Promise<Received | Leased> {
    this.#checkReceive(channel, lease);
    return (
      this.#takeThere(channel, signal) ?? (await this.#listen(channel, signal, (queue) => queue.take(signal)))
    );
  }

  receiveMany(channel: string, options: LeaseManyOptions): Promise<Leased[]>;
  receiveMany(channel: string, options?: ReceiveManyOptions): Promise<Received[]>;
  async receiveMany(
    channel: string,
    { lease, ...options }: ReceiveManyOptions & Partial<LeaseOptions> = {},
  ): Promise<Array<Received | Leased>> {
    this.#checkReceive(channel, lease);
    const { max, waitMs } = checkReceiveMany(options);
    // When only the time is over, it goes on listening.
    return this.#listen(channel, options.signal, (queue) =>
      patiently(waitMs, options.signal, async (signal) => [...(await queue.takeMany(max, signal))]),
    );
  }

  /**
   * Makes a name that nobody else knows: the layer's prefix, this one, and 32 hex digits, without a `!`. Resolves when
   * Redis has confirmed that we listen on it.
   *
   * @param prefix default `specific.`, with the dot
   */
  async newChannel(prefix = 'specific.'): Promise<string> {
    const channel = this.#prefix + checkChannelName(prefix + randomBytes(16).toString('hex'));
    this.#checkChannel(channel);
    this.#refuseWhenClosed();
    this.#audience.queue(channel);
    try {
      await this.#hostOf(channel).subscribe(channel);
    } catch (error) {
      await this.#release(this.#audience.forget(channel));
      throw error;
    }
    return channel;
  }

  /** Resolves when Redis has confirmed that we listen to the group. @throws ForeignMemberError */
  async groupAdd(group: string, channel: string): Promise<void> {
    const name = this.#groupName(group);
    this.#checkChannel(channel);
    this.#refuseWhenClosed();
    if (!this.#audience.has(channel)) throw new ForeignMemberError(channel);
    const isNew = this.#audience.join(name, channel);
    try {
      await this.#hostOf(name).subscribe(name);
    } catch (error) {
      if (isNew) this.#audience.leave(name, channel);
      await this.#release([name]);
      throw error;
    }
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    const name = this.#groupName(group);
    this.#checkChannel(channel);
    this.#refuseWhenClosed();
    this.#audience.leave(name, channel);
    await this.#release([name]);
  }

  async groupSend<M extends Message>(group: string, message: M): Promise<void> {
    const name = this.#groupName(group);
    const payload = this.#codec.encode(checkMessage(message));
    this.#refuseWhenClosed();
    await this.#publish(name, payload);
  }

  /** A server is asked every `timeoutMs` while anything is subscribed to. */
  listening(channel: string): Listening | undefined {
    return this.#audience.has(channel) ? this.#hostOf(channel).listening(channel) : undefined;
  }

  /** Knows of what this layer object keeps. */
  async stats(): Promise<LayerStats> {
    this.#refuseWhenClosed();
    return layerStats(this.#audience.depths(), this.#capacity, this.#now());
  }

  /** Looks at what this layer object keeps. */
  async peek(channel: string, options: PeekOptions = {}): Promise<Peeked[]> {
    this.#refuseWhenClosed();
    this.#checkChannel(channel);
    return peekAt(channel, options, async (key, max, onLease) =>
      onLease ? [] : this.#audience.first(key, max).map((message) => this.#peeked(channel, message)),
    );
  }

  /** Tells of this layer object's members. */
  async groups(group?: string): Promise<GroupReport[]> {
    this.#refuseWhenClosed();
    if (group !== undefined) checkGroupName(group);
    const skip = this.#prefix.length + groupMark.length;
    const reports = this.#audience.groups().map(([name, members]) => ({
      group: name.slice(skip),
      members: members.map((channel) => ({ channel })),
    }));
    return reports
      .filter((report) => group === undefined || report.group === group)
      .sort((a, b) => (a.group < b.group ? -1 : 1));
  }

  /** @throws InvalidOptionError: Redis keeps no messages here */
  async deadLetters(): Promise<DeadLetterReport[]> {
    throw noLeases();
  }

  /** @throws InvalidOptionError as above */
  async redrive(): Promise<number> {
    throw noLeases();
  }

  /** Forgets the messages, groups and channels of this layer object. Who waits goes on waiting. */
  async flush(): Promise<void> {
    this.#refuseWhenClosed();
    await this.#release(this.#audience.clear());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#audience.fail(new LayerClosedError());
    this.#audience.clear();
    for (const host of this.#hosts) host.close();
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new LayerClosedError();
  }

  /** As read anew, so that nobody changes what its receiver gets. */
  #peeked(channel: string, message: Received): Peeked {
    const bytes = this.#codec.encode(message);
    return { channels: [channel], message: this.#codec.decode(bytes), bytes: bytes.length, deliveries: 0 };
  }

  /** A name as everywhere, which may have the layer's prefix before it. */
  #checkChannel(channel: string): void {
    const isOurs = typeof channel === 'string' && channel.startsWith(this.#prefix);
    const bare = isOurs ? channel.slice(this.#prefix.length) : '';
    checkChannelName(bare === '' ? channel : bare);
  }

  #checkReceive(channel: string, lease: unknown): void {
    this.#checkChannel(channel);
    this.#refuseWhenClosed();
    if (lease !== undefined) throw noLeases(lease);
  }

  #groupName(group: string): string {
    return `${this.#prefix}${groupMark}${checkGroupName(group)}`;
  }

  #hostOf(name: string): Host {
    const host = this.#hosts[shardOf(name, this.#hosts.length)];
    if (host === undefined) throw new InvalidOptionError('hosts', 'a list of hosts', 'none');
    return host;
  }

  async #publish(name: string, payload: Uint8Array, signal?: AbortSignal): Promise<void> {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    await this.#hostOf(name).commands.run((client) => client.publish(name, bytes), signal);
  }

  /** What a channel on which we listen has already. */
  #takeThere(channel: string, signal: AbortSignal | undefined): Received | undefined {
    signal?.throwIfAborted();
    return this.#audience.has(channel) ? this.#audience.queue(channel).shift() : undefined;
  }

  /** Takes from a channel's queue, having subscribed to it. */
  async #listen<T>(
    channel: string,
    signal: AbortSignal | undefined,
    take: (queue: WaitingQueue<Received>) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const queue = this.#audience.queue(channel);
    const taken = take(queue);
    this.#hostOf(channel).keepSubscribed(channel);
    try {
      return await taken;
    } catch (error) {
      // Nobody waits for Redis's answer: the wait is over now, whether Redis is there or not.
      if (signal?.aborted && queue.waiting === 0) void this.#release(this.#audience.forget(channel));
      throw error;
    }
  }

  /** Ends the subscriptions to those names that nobody needs any more. Never rejects. */
  async #release(names: readonly string[]): Promise<void> {
    const unneeded = names.filter((name) => !this.#audience.needs(name));
    await Promise.all(unneeded.map((name) => this.#hostOf(name).unsubscribe(name)));
  }

  #deliver(name: string, payload: Buffer): void {
    try {
      this.#audience.deliver(name, () => this.#codec.decode(payload));
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.#onDrop?.({ channel: name, reason: 'undecodable', error });
    }
  }
}

/** Between the layer's prefix and a group's name. */
const groupMark = '__group__';

function noLeases(found: unknown = 'PubSub'): InvalidOptionError {
  return new InvalidOptionError('lease', 'left out: the PubSub layer has no leases', found);
}
