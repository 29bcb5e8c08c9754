// The channel layer of a site that shares its Redis with Python processes that use the PubSub layer.

import { randomBytes } from 'node:crypto';
import type { Received } from '../../application.js';
import { checkChannelName } from '../../channel-name.js';
import { type CodecOptions, MessageCodec } from '../../codec/codec.js';
import { LayerClosedError, UndecodableError } from '../../errors.js';
import type { Extension, LayerOptions } from '../../layer.js';
import type { Listening } from '../../serving/listening.js';
import type { GroupReport, Peeked } from '../../stats.js';
import { timeOver } from '../../waiting/patience.js';
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
   * Makes a name that nobody else knows: the layer's prefix, this one, and 32 hex digits, without a `!`. Resolves when
   * Redis has confirmed that we listen on it.
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

  /** A server is asked every `timeoutMs` while anything is subscribed to. */
  listening(channel: string): Listening | undefined {
    return this.#audience.channels.has(channel) ? this.#ring.of(channel).listening(channel) : undefined;
  }

  /** A name as everywhere, which may have the layer's prefix before it. */
  protected override checkName(channel: string): void {
    const isOurs = typeof channel === 'string' && channel.startsWith(this.#prefix);
    const bare = isOurs ? channel.slice(this.#prefix.length) : '';
    checkChannelName(bare === '' ? channel : bare);
  }

  protected write(message: Readonly<Record<string, unknown>>): Buffer {
    const { buffer, byteOffset, byteLength } = this.#codec.encode(message);
    return Buffer.from(buffer, byteOffset, byteLength);
  }

  /** Publishes on exactly this name. Resolves when Redis has passed the messages on, be it to nobody. */
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

  /** Takes from a channel's queue, having subscribed to it. */
  protected async receiveSome(channel: string, max: number, signal?: AbortSignal): Promise<Received[]> {
    signal?.throwIfAborted();
    const queue = this.#audience.queue(channel);
    const taken = queue.takeMany(max, signal);
    this.#ring.of(channel).keepSubscribed(channel);
    try {
      return [...(await taken)];
    } catch (error) {
      // Nobody waits for Redis's answer: the wait is over now, whether Redis is there or not. When only the time is
      // over, it goes on listening.
      const isCalledOff = signal?.aborted && signal.reason !== timeOver;
      if (isCalledOff && queue.waiting === 0) void this.#release(this.#audience.forget(channel));
      throw error;
    }
  }

  /** Resolves when Redis has confirmed that we listen to the group. @throws ForeignMemberError */
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

  /** Forgets the messages, groups and channels of this layer object. Who waits goes on waiting. */
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

  /** Ends the subscriptions to those names that nobody needs any more. Never rejects. */
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
