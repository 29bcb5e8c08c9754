// The channel layer for sites on several machines, and for sites that share Redis with Python processes.

import { setTimeout as pause } from 'node:timers/promises';
import type { Received } from '../../application.js';
import { channelsByKey, messageKey } from '../../channel-name.js';
import { MessageCodec } from '../../codec/codec.js';
import { LayerClosedError } from '../../errors.js';
import type { Leased } from '../../leases.js';
import { type Listening, worstOf } from '../../serving/listening.js';
import type { ProcessMessage } from '../local-queues.js';
import { allDone, chunks, reading } from '../outgoing.js';
import { StoredLayer } from '../stored-layer.js';
import { ChannelQueue, Queues } from './channel-queue.js';
import type { ServerFacts } from './connection/connection.js';
import { parseHosts } from './connection/hosts.js';
import { checkCount, checkPrefix, type RedisLayerOptions, warnOnce } from './connection/options.js';
import { ServerClock } from './connection/server-clock.js';
import { Host, membersPerScript, type Parcel, Ring } from './host.js';
import { RedisLeases } from './leases.js';
import { Members } from './member.js';
import { MessageSource, type TakenMessage } from './message-source.js';
import { flush } from './scan.js';
import { RedisSource } from './stats.js';

export type { ConnectionChange } from './connection/connection.js';
export type { HostOptions as RedisHostOptions } from './connection/host-options.js';
export type { Host as RedisHost } from './connection/hosts.js';
export type { LayerWarning, RedisLayerOptions } from './connection/options.js';

/** A token may be older than the expiry by this much. */
const tokenGraceSeconds = 10;
/** A longer wait would notice a dead connection too late. */
const longestBlockMs = 60_000;
/** How long `close` waits for messages that go back to Redis. */
const closeWithinMs = 1000;

/**
 * A channel layer on Redis 6 or later. It reads and writes the same bytes as Python's
 * `channels_redis.core.RedisChannelLayer`.
 *
 * Sends, group calls and flush reject with LayerUnavailableError within `timeoutMs` when Redis is away. If
 * only the reply was lost, the message may have been accepted. A receive waits until Redis is back. Aborts
 * and reconnects lose no message: each goes to a receiver or back to Redis. The server's clock dates
 * messages.
 *
 * Source: docs/reference/wire.md sections 1 to 9.
 * @throws InvalidOptionError
 * @example const layer = new RedisChannelLayer({ hosts: ['redis://localhost:6379/1'] })
 */
export class RedisChannelLayer extends StoredLayer<Buffer> {
  protected readonly leases: RedisLeases;
  protected readonly view: RedisSource;
  readonly #prefix: string;
  readonly #members: Members;
  readonly #clock: ServerClock;
  readonly #ring: Ring<Host>;
  readonly #queues: Queues<TakenMessage>;

  constructor(options: RedisLayerOptions = {}) {
    const clock = new ServerClock(options.now);
    super({ ...options, now: clock.now });
    this.#prefix = checkPrefix(options.prefix ?? 'asgi');
    const ttlSeconds = this.rules.expiryMsOf('') / 1000 + tokenGraceSeconds;
    const codec = new MessageCodec(options, { now: clock.now, ttlSeconds });
    this.#members = new Members(codec, checkCount('randomPrefixLength', options.randomPrefixLength ?? 12, 0));
    const timeoutMs = checkCount('timeoutMs', options.timeoutMs ?? 2000, 1);
    const blockMs = checkCount('blockMs', options.blockMs ?? 8000, 10, longestBlockMs);
    const hosts = parseHosts(options.hosts, this.#prefix).map((address) => {
      const warn = options.onWarning && warnOnce(address.name, options.onWarning);
      const onReady = (facts: ServerFacts) => {
        if (facts.clock !== undefined) clock.learn(facts.clock.serverMs);
        warn?.(facts);
      };
      const connection = { address, timeoutMs, onChange: options.onConnection, onReady };
      return new Host({ connection, prefix: this.#prefix, clock, blockMs });
    });
    this.#ring = new Ring(hosts);
    const store = { ...this.rules, hosts, prefix: this.#prefix, members: this.#members, clock };
    this.#clock = clock;
    this.#queues = new Queues(
      (channel) => new ChannelQueue(channel, hosts, new MessageSource(store, channel)),
    );
    this.leases = new RedisLeases(store);
    this.view = new RedisSource(store);
  }

  /** The host whose answer is the most overdue decides, since any host may have messages. */
  listening(channel: string): Listening | undefined {
    const found = [this.#queues.listening(messageKey(channel)), this.leases.listening(channel)];
    return worstOf(found.filter((listening) => listening !== undefined));
  }

  protected write(message: Readonly<Record<string, unknown>>, channel: string): Buffer {
    return this.#members.write(message, channel.includes('!') ? channel : undefined);
  }

  /** The messages of one call go to one host. General channels use the hosts in turn. */
  protected async put(
    channel: string,
    parts: ReadonlyArray<readonly Buffer[]>,
    signal?: AbortSignal,
  ): Promise<number[]> {
    const key = messageKey(channel);
    const host = key === channel ? this.#ring.next() : this.#ring.of(key);
    const sent = parts.map((members) => host.send([this.#parcel(key, members, channel)], signal));
    return (await allDone(sent)).map(([accepted = 0]) => accepted);
  }

  protected async putToGroup(group: string, message: Readonly<Record<string, unknown>>): Promise<void> {
    const memberFor = reading(() => this.#members.writeForGroup(message));
    const groupKey = this.#groupKey(group);
    const names = await this.#ring
      .of(group)
      .commands.run((client) =>
        client.membersOf(1, groupKey, this.#clock.argument, this.rules.groupExpiryMs),
      );
    const parcels = new Map<Host, Parcel[]>();
    for (const [key, channels] of channelsByKey(names)) {
      const host = this.#ring.of(key);
      const parcel = this.#parcel(key, [memberFor(channels)], channels[0] ?? key);
      parcels.set(host, [...(parcels.get(host) ?? []), parcel]);
    }
    const send = async (host: Host, part: readonly Parcel[]) => {
      const accepted = await host.send(part);
      this.reportFull(
        part.filter((_, i) => accepted[i] === 0).map(({ key }) => key.slice(this.#prefix.length)),
      );
    };
    const sent = Array.from(parcels, ([host, some]) =>
      chunks(some, membersPerScript).map((part) => send(host, part)),
    );
    await allDone(sent.flat());
  }

  protected async take(
    key: string,
    max: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly ProcessMessage[]> {
    return (await this.#queues.of(key).take(max, signal)).map(({ message }) => message);
  }

  protected override async takeNow(
    channel: string,
    max: number,
    leaseMs: number | undefined,
  ): Promise<Array<Received | Leased>> {
    if (leaseMs !== undefined) return this.leases.receiveNow(channel, max, leaseMs);
    return (await this.#queues.of(channel).takeNow(max)).map(({ message }) => message.read());
  }

  protected async addMember(group: string, channel: string): Promise<void> {
    const { groupExpiryMs } = this.rules;
    await this.#ring
      .of(group)
      .commands.run((client) =>
        client.addFor(1, this.#groupKey(group), this.#clock.argument, Math.ceil(groupExpiryMs), channel),
      );
  }

  protected async removeMember(group: string, channel: string): Promise<void> {
    await this.#ring.of(group).commands.run((client) => client.zrem(this.#groupKey(group), channel));
  }

  /**
   * Removes all sorted sets whose names begin with the prefix, and all leases, in small steps. The prefix has
   * no separator, so `asgi` also removes the keys of a layer with the prefix `asgi2`.
   */
  protected async clear(): Promise<void> {
    await allDone(this.#ring.hosts.map((host) => flush(host.commands, this.#prefix)));
  }

  protected async end(): Promise<void> {
    const { hosts } = this.#ring;
    const reading = Promise.all([this.local.close(), ...hosts.map(({ reads }) => reads.close())]);
    const stopping = [this.#queues, this.leases].map((each) => each.stop(new LayerClosedError(), reading));
    const ended = Promise.all(stopping);
    const patience = new AbortController();
    await Promise.race([ended, pause(closeWithinMs, undefined, { signal: patience.signal })]);
    patience.abort();
    for (const host of hosts) host.close();
    await ended;
  }

  #groupKey(group: string): string {
    return `${this.#prefix}:group:${group}`;
  }

  /** A process key has the capacity of the message's first channel. */
  #parcel(key: string, members: readonly Buffer[], channel: string): Parcel {
    const { capacity, expiryMsOf } = this.rules;
    return { key: this.#prefix + key, members, capacity: capacity(channel), expiryMs: expiryMsOf(key) };
  }
}
