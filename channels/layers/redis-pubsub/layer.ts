// The channel layer for sites that share Redis with Python processes on the PubSub layer.

import { randomBytes } from 'node:crypto';
import type { Received } from '../../application.js';
import { checkChannelName } from '../../channel-name.js';
import { type CodecOptions, MessageCodec } from '../../codec/codec.js';
import { LayerClosedError, UndecodableError } from '../../errors.js';
import type { Extension, LayerOptions } from '../../layer.js';
import type { Listening } from '../../serving/listening.js';
import type { GroupReport, Peeked } from '../../stats.js';
import { timeLimitReached } from '../../waiting/wait-at-most.js';
import { BaseLayer, type StoreView } from '../base-layer.js';
import { allDone, reading } from '../outgoing.js';
import type { ConnectionChange } from '../redis/connection/connection.js';
import { type Host as HostOption, parseHosts } from '../redis/connection/hosts.js';
import { checkCount, checkPrefix } from '../redis/connection/options.js';
import { Ring } from '../redis/host.js';
import { Host } from './host.js';
import { Audience } from './store.js';

export { ForeignMemberError } from './store.js';

/**
 * Options of `RedisPubSubChannelLayer`. Peers must agree on `hosts`, `prefix`, `serializer` and
 * `symmetricEncryptionKeys`.
 */
export interface RedisPubSubLayerOptions
  extends Pick<LayerOptions, 'capacity' | 'channelCapacity' | 'onDrop' | 'now'>,
    CodecOptions {
  /**
   * Servers as for `RedisChannelLayer`; each name belongs to one of them. Default
   * `['redis://localhost:6379']`.
   */
  readonly hosts?: readonly HostOption[] | undefined;
  /** The prefix of names of groups and new channels, without a separator. Default `asgi`. */
  readonly prefix?: string | undefined;
  /** Time limit of a call in milliseconds: once for the connection, once for the reply. Default 2,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Called once when a server goes away, and once when it is back with all subscriptions. Messages in between
   * are lost. Must not throw.
   */
  readonly onConnection?: ((change: ConnectionChange) => void) | undefined;
}

/**
 * A channel layer on Redis's PUBLISH and SUBSCRIBE. It reads and writes the same bytes as Python's
 * `channels_redis.pubsub.RedisPubSubChannelLayer`. Redis stores nothing: a message reaches the current
 * listeners only. Each layer object that receives on a channel gets all its messages, and its receivers share
 * them.
 *
 * A layer object listens on a channel from `newChannel` or the first receive on. Between receives it keeps
 * `capacity` messages, then drops the oldest and reports it to `onDrop`. Senders never get ChannelFull, and
 * nothing expires. It stops listening, and leaves all groups, when the last receive of the channel is
 * aborted.
 *
 * Calls reject with LayerUnavailableError within `timeoutMs` when Redis is away. A receive waits until Redis
 * is back.
 *
 * Source: docs/reference/wire.md section 10.
 * @throws InvalidOptionError
 * @example const layer = new RedisPubSubChannelLayer({ hosts: ['redis://localhost:6379'] })
 */
export class RedisPubSubChannelLayer extends BaseLayer<Buffer> {
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush', 'stats']);
  protected readonly leases = undefined;
  /** Knows of what this layer object keeps. */
  protected readonly view: StoreView;
  readonly #prefix: string;
  readonly #codec: MessageCodec;
  readonly #ring: Ring<Host>;
  readonly #audience: Audience;

  constructor(options: RedisPubSubLayerOptions = {}) {
    super(options);
    this.#prefix = checkPrefix(options.prefix ?? 'asgi');
    this.#codec = new MessageCodec(options, { now: this.rules.now });
    this.#audience = new Audience(this.rules);
    this.view = this.#viewOf(this.#audience);
    const timeoutMs = checkCount('timeoutMs', options.timeoutMs ?? 2000, 1);
    const hosts = parseHosts(options.hosts, this.#prefix).map(
      (address) =>
        new Host({
          address,
          timeoutMs,
          onChange: options.onConnection,
          onMessage: (name, payload) => this.#deliver(name, payload),
          onRefused: (name, error) => this.#audience.channels.get(name)?.fail(error),
        }),
    );
    this.#ring = new Ring(hosts);
  }

  /**
   * Returns a new name: the layer's prefix, `prefix`, and 32 hex digits, without a `!`. Resolves when Redis
   * has confirmed the subscription.
   *
   * @param prefix default `specific.`, with the dot
   */
  async newChannel(prefix = 'specific.'): Promise<string> {
    const channel = this.#prefix + checkChannelName(prefix + randomBytes(16).toString('hex'));
    this.checkName(channel);
    this.refuseWhenClosed();
    this.#audience.queue(channel);
    try {
      await this.#ring.of(channel).subscribe(channel);
    } catch (error) {
      await this.#release(this.#audience.forget(channel));
      throw error;
    }
    return channel;
  }

  /** Servers are asked every `timeoutMs` while a name is subscribed. */
  listening(channel: string): Listening | undefined {
    return this.#audience.channels.has(channel) ? this.#ring.of(channel).listening(channel) : undefined;
  }

  /** A usual name, with or without the layer's prefix. */
  protected override checkName(channel: string): void {
    const isOurs = typeof channel === 'string' && channel.startsWith(this.#prefix);
    const bare = isOurs ? channel.slice(this.#prefix.length) : '';
    checkChannelName(bare === '' ? channel : bare);
  }

  protected write(message: Readonly<Record<string, unknown>>): Buffer {
    const { buffer, byteOffset, byteLength } = this.#codec.encode(message);
    return Buffer.from(buffer, byteOffset, byteLength);
  }

  /** Publishes on exactly this name. Resolves when Redis has passed the messages on, even to nobody. */
  protected async put(
    channel: string,
    parts: ReadonlyArray<readonly Buffer[]>,
    signal?: AbortSignal,
  ): Promise<number[]> {
    await allDone(parts.flat().map((payload) => this.#publish(channel, payload, signal)));
    return parts.map(({ length }) => length);
  }

  protected async putToGroup(group: string, message: Readonly<Record<string, unknown>>): Promise<void> {
    const payload = reading(() => this.write(message));
    await this.#publish(this.#groupName(group), payload);
  }

  /** Subscribes to a channel and takes from its queue. */
  protected async receiveSome(channel: string, max: number, signal?: AbortSignal): Promise<Received[]> {
    signal?.throwIfAborted();
    const queue = this.#audience.queue(channel);
    const taken = queue.takeMany(max, signal);
    this.#ring.of(channel).keepSubscribed(channel);
    try {
      return [...(await taken)];
    } catch (error) {
      // An abort does not wait for Redis. After a time limit the layer goes on listening.
      const isCalledOff = signal?.aborted && signal.reason !== timeLimitReached;
      if (isCalledOff && queue.waiting === 0) void this.#release(this.#audience.forget(channel));
      throw error;
    }
  }

  /** Resolves when Redis has confirmed the subscription to the group. @throws ForeignMemberError */
  protected async addMember(group: string, channel: string): Promise<void> {
    const name = this.#groupName(group);
    const isNew = this.#audience.join(name, channel);
    try {
      await this.#ring.of(name).subscribe(name);
    } catch (error) {
      if (isNew) this.#audience.leave(name, channel);
      await this.#release([name]);
      throw error;
    }
  }

  protected async removeMember(group: string, channel: string): Promise<void> {
    const name = this.#groupName(group);
    this.#audience.leave(name, channel);
    await this.#release([name]);
  }

  /** Removes the messages, groups and channels of this layer object. Waiters go on waiting. */
  protected async clear(): Promise<void> {
    await this.#release(this.#audience.clear());
  }

  protected async end(): Promise<void> {
    this.#audience.fail(new LayerClosedError());
    this.#audience.clear();
    for (const host of this.#ring.hosts) host.close();
  }

  #viewOf({ channels, groups }: Audience): StoreView {
    return {
      depths: () => Array.from(channels, ([key, { length }]) => ({ key, depth: length, onLease: 0 })),
      peek: (key, max, onLease) =>
        (onLease ? [] : (channels.get(key)?.first(max) ?? [])).map((message) => this.#peeked(key, message)),
      groups: (wanted) =>
        Array.from(groups, ([name, members]): GroupReport => {
          const group = name.slice(this.#groupName('').length);
          return { group, members: Array.from(members, (channel) => ({ channel })) };
        })
          .filter(({ group }) => wanted === undefined || group === wanted)
          .sort((a, b) => (a.group < b.group ? -1 : 1)),
    };
  }

  /** As read anew, so that nobody changes what its receiver gets. */
  #peeked(channel: string, message: Received): Peeked {
    const bytes = this.write(message);
    return { channels: [channel], message: this.#codec.decode(bytes), bytes: bytes.length, deliveries: 0 };
  }

  #groupName(group: string): string {
    return `${this.#prefix}__group__${group}`;
  }

  async #publish(name: string, payload: Buffer, signal?: AbortSignal): Promise<void> {
    await this.#ring.of(name).commands.run((client) => client.publish(name, payload), signal);
  }

  /** Ends the subscriptions to unused names. Never rejects. */
  async #release(names: readonly string[]): Promise<void> {
    const unneeded = names.filter((name) => !this.#audience.needs(name));
    await Promise.all(unneeded.map((name) => this.#ring.of(name).unsubscribe(name)));
  }

  #deliver(name: string, payload: Buffer): void {
    if (!this.#audience.needs(name)) return;
    try {
      this.#audience.deliver(name, this.#codec.decode(payload));
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.rules.onDrop?.({ channel: name, reason: 'undecodable', error });
    }
  }
}
