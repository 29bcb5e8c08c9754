// The channel layer of a site on several machines, or one that shares its Redis with Python processes.

import { setTimeout as pause } from 'node:timers/promises';
import type { Message, Received } from '../application.js';
import { ChannelFull, LayerClosedError } from '../errors.js';
import {
  type ChannelLayer,
  capacityOf,
  checkChannelName,
  checkGroupName,
  checkMaxDeliveries,
  checkMessage,
  checkReceiveMany,
  type Extension,
  expiryMsOf,
  type LeaseManyOptions,
  type LeaseOptions,
  messageKey,
  type ReceiveManyOptions,
  type SendOutcome,
  secondsToMs,
  type WaitOptions,
} from '../layer.js';
import {
  checkDeadLetterOptions,
  checkLeasable,
  checkLeaseMs,
  type DeadLetterOptions,
  type DeadLetterReport,
  type Leased,
} from '../leases.js';
import { type Listening, worstOf } from '../listening.js';
import { LocalQueues } from '../local-queues.js';
import { MessageCodec } from '../message-codec.js';
import { allDone, chunks, writeEach } from '../outgoing.js';
import { patiently } from '../patience.js';
import {
  type GroupReport,
  type LayerStats,
  layerStats,
  type Peeked,
  type PeekOptions,
  peekAt,
} from '../stats.js';
import { DeadLetters } from './redis/dead-letters.js';
import { Host, Ring } from './redis/host.js';
import { parseHosts } from './redis/hosts.js';
import { RedisLeases } from './redis/leases.js';
import { Members } from './redis/members.js';
import { checkCount, checkPrefix, type RedisLayerOptions, warnOnce } from './redis/options.js';
import { membersPerScript, type Parcel } from './redis/outbox.js';
import { Queues } from './redis/queues.js';
import { flush } from './redis/scan.js';
import { RedisSource } from './redis/source.js';

export type { ConnectionChange } from './redis/connection.js';
export type { Host as RedisHost, HostOptions as RedisHostOptions } from './redis/hosts.js';
export type { LayerWarning, RedisLayerOptions } from './redis/options.js';

/** A token may be so much older than the expiry. Source: docs/wire.md section 6. */
const tokenGraceSeconds = 10;
/** Beyond this a dead connection would be noticed too late to be of use. */
const longestBlockMs = 60_000;
/** How long `close` waits for what is on its way back to Redis. */
const closeWithinMs = 1000;

/**
 * A channel layer on Redis 6 or later, byte for byte that of Python's `channels_redis.core.RedisChannelLayer`.
 *
 * Sends, group calls and flush reject with LayerUnavailableError within `timeoutMs` when Redis is away; when that was
 * while waiting for a reply, the message may have been accepted all the same. A receive waits and goes on by itself.
 * A message that Redis gave out is handed to somebody or put back, never dropped by an abort or a reconnect.
 * Age is measured with the senders' clocks, so the clocks of all machines should agree within a few seconds.
 *
 * Source: docs/wire.md sections 1 to 9.
 * @throws InvalidOptionError
 * @example const layer = new RedisChannelLayer({ hosts: ['redis://localhost:6379/1'] })
 */
export class RedisChannelLayer implements ChannelLayer {
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush', 'lease', 'stats']);
  readonly #prefix: string;
  readonly #capacity: (channel: string) => number;
  readonly #expiryMs: (channel: string) => number;
  readonly #groupExpiryMs: number;
  readonly #now: () => number;
  readonly #members: Members;
  readonly #ring: Ring;
  readonly #queues: Queues;
  readonly #leases: RedisLeases;
  readonly #deadLetters: DeadLetters;
  readonly #local: LocalQueues;
  readonly #source: RedisSource;
  #closed = false;

  constructor(options: RedisLayerOptions = {}) {
    this.#prefix = checkPrefix(options.prefix ?? 'asgi');
    this.#capacity = capacityOf(options);
    this.#expiryMs = expiryMsOf(options);
    const expiryMs = secondsToMs('expiry', options.expiry ?? 60);
    this.#groupExpiryMs = secondsToMs('groupExpiry', options.groupExpiry ?? 86_400);
    this.#now = options.now ?? Date.now;
    const ttlSeconds = expiryMs / 1000 + tokenGraceSeconds;
    const codec = new MessageCodec(options, { now: this.#now, ttlSeconds });
    this.#members = new Members(codec, checkCount('randomPrefixLength', options.randomPrefixLength ?? 12, 0));
    const timeoutMs = checkCount('timeoutMs', options.timeoutMs ?? 2000, 1);
    const blockMs = options.blockMs && checkCount('blockMs', options.blockMs, 10, longestBlockMs);
    const hosts = parseHosts(options.hosts, this.#prefix).map((address) => {
      const onReady = options.onWarning && warnOnce(address.name, options.onWarning);
      const connection = { address, timeoutMs, onChange: options.onConnection, onReady };
      return new Host({ connection, prefix: this.#prefix, now: this.#now, blockMs });
    });
    this.#ring = new Ring(hosts);
    const common = { hosts, prefix: this.#prefix, members: this.#members, now: this.#now };
    const limits = { capacity: this.#capacity, expiryMs: this.#expiryMs };
    this.#queues = new Queues({ ...common, expiryMs: this.#expiryMs, onDrop: options.onDrop });
    this.#deadLetters = new DeadLetters({ ...common, ...limits });
    this.#leases = new RedisLeases({
      ...common,
      ...limits,
      maxDeliveries: checkMaxDeliveries(options.maxDeliveries),
      onDrop: options.onDrop,
    });
    this.#local = new LocalQueues({
      capacity: this.#capacity,
      expiryMs,
      now: this.#now,
      onDrop: options.onDrop,
      take: (key, wanted, signal) => this.#queues.of(key).take(wanted, signal),
    });
    this.#source = new RedisSource({ ...common, groupExpiryMs: this.#groupExpiryMs });
  }

  async send<M extends Message>(channel: string, message: M, options: WaitOptions = {}): Promise<void> {
    const key = messageKey(checkChannelName(channel));
    const member = this.#members.write(checkMessage(message), key === channel ? undefined : channel);
    this.#refuseWhenClosed();
    options.signal?.throwIfAborted();
    const parcel = this.#parcel(key, [member], channel);
    const [accepted] = await this.#hostFor(channel, key).outbox.send([parcel], options.signal);
    if (accepted === 0) throw new ChannelFull(channel, parcel.capacity);
  }

  async sendMany<M extends Message>(
    channel: string,
    messages: readonly M[],
    options: WaitOptions = {},
  ): Promise<SendOutcome[]> {
    const key = messageKey(checkChannelName(channel));
    this.#refuseWhenClosed();
    options.signal?.throwIfAborted();
    const { outcomes, sendable } = writeEach(messages, (message) =>
      this.#members.write(message, key === channel ? undefined : channel),
    );
    const members = sendable.map(({ bytes }) => bytes);
    const isAccepted = await this.#deliver(channel, members, options.signal);
    for (const [i, { index }] of sendable.entries()) {
      if (isAccepted[i]) continue;
      outcomes[index] = { accepted: false, error: new ChannelFull(channel, this.#capacity(channel)) };
    }
    return outcomes;
  }

  receive(channel: string, options: LeaseOptions): Promise<Leased>;
  receive(channel: string, options?: WaitOptions): Promise<Received>;
  receive(channel: string, options: WaitOptions & Partial<LeaseOptions> = {}): Promise<Received | Leased> {
    if (options.lease !== undefined || !this.#local.isReceivedOn(channel))
      return this.#receiveOne(channel, options);
    return this.#local.receive(channel, options.signal);
  }

  receiveMany(channel: string, options: LeaseManyOptions): Promise<Leased[]>;
  receiveMany(channel: string, options?: ReceiveManyOptions): Promise<Received[]>;
  async receiveMany(
    channel: string,
    { lease, ...options }: ReceiveManyOptions & Partial<LeaseOptions> = {},
  ): Promise<Array<Received | Leased>> {
    const leaseMs = this.#checkReceive(channel, lease);
    const { max, waitMs } = checkReceiveMany(options);
    if (waitMs !== 0 || channel.includes('!'))
      return patiently<Received | Leased>(waitMs, options.signal, (signal) =>
        this.#receive(channel, max, leaseMs, signal),
      );
    options.signal?.throwIfAborted();
    if (leaseMs !== undefined) return this.#leases.receiveNow(channel, max, leaseMs);
    return (await this.#queues.of(channel).takeNow(max)).map(({ read }) => read());
  }

  async newChannel(prefix?: string): Promise<string> {
    return this.#local.newChannel(prefix);
  }

  async groupAdd(group: string, channel: string): Promise<void> {
    const key = this.#groupKey(group);
    checkChannelName(channel);
    this.#refuseWhenClosed();
    const ttlMs = Math.ceil(this.#groupExpiryMs);
    const { commands } = this.#ring.of(group);
    await commands.run((client) => client.addFor(1, key, this.#now() / 1000, ttlMs, channel));
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    const key = this.#groupKey(group);
    checkChannelName(channel);
    this.#refuseWhenClosed();
    await this.#ring.of(group).commands.run((client) => client.zrem(key, channel));
  }

  async groupSend<M extends Message>(group: string, message: M): Promise<void> {
    const groupKey = this.#groupKey(group);
    // Written before anything is awaited: what cannot be sent is refused though the group may have no members, and
    // what the caller changes afterwards is not sent.
    const memberFor = this.#members.writeForGroup(checkMessage(message));
    this.#refuseWhenClosed();
    const endedAt = (this.#now() - this.#groupExpiryMs) / 1000;
    const names = await this.#ring.of(group).commands.run((client) => {
      client.zremrangebyscore(groupKey, '-inf', endedAt).catch(() => undefined);
      return client.zrangebyscore(groupKey, `(${endedAt}`, '+inf');
    });
    const parcels = new Map<Host, Parcel[]>();
    for (const [key, channels] of byKey(names)) {
      const host = this.#ring.of(key);
      const parcel = this.#parcel(key, [memberFor(channels)], channels[0] ?? key);
      parcels.set(host, [...(parcels.get(host) ?? []), parcel]);
    }
    await allDone(
      Array.from(parcels, ([host, some]) =>
        allDone(chunks(some, membersPerScript).map((part) => host.outbox.send(part))),
      ),
    );
  }

  /** The host that was silent the longest decides: a message may come from each. */
  listening(channel: string): Listening | undefined {
    const found = [this.#queues.listening(messageKey(channel)), this.#leases.listening(channel)];
    return worstOf(found.filter((listening) => listening !== undefined));
  }

  async stats(): Promise<LayerStats> {
    this.#refuseWhenClosed();
    return layerStats(await this.#source.depths(), this.#capacity, this.#now());
  }

  async peek(channel: string, options: PeekOptions = {}): Promise<Peeked[]> {
    this.#refuseWhenClosed();
    checkChannelName(channel);
    return peekAt(channel, options, (key, max, onLease) => this.#source.peek(key, max, onLease));
  }

  async groups(group?: string): Promise<GroupReport[]> {
    this.#refuseWhenClosed();
    if (group !== undefined) checkGroupName(group);
    return this.#source.groups(group);
  }

  async deadLetters(channel?: string, options?: DeadLetterOptions): Promise<DeadLetterReport[]> {
    this.#refuseWhenClosed();
    if (channel !== undefined) checkLeasable(checkChannelName(channel));
    return this.#deadLetters.list(channel, checkDeadLetterOptions(options));
  }

  async redrive(channel: string, ids?: readonly string[]): Promise<number> {
    this.#refuseWhenClosed();
    checkLeasable(checkChannelName(channel));
    return this.#deadLetters.redrive(channel, ids);
  }

  /**
   * Removes every sorted set whose name begins with the prefix and what is on lease, a few at a time, so that Redis goes on serving. Names
   * have no separator after the prefix: another layer's with the prefix `asgi2` begin with `asgi` and go as well.
   */
  async flush(): Promise<void> {
    this.#refuseWhenClosed();
    this.#local.clear();
    await allDone(this.#ring.hosts.map((host) => flush(host.commands, this.#prefix)));
  }

  async close(): Promise<void> {
    this.#closed = true;
    const { hosts } = this.#ring;
    const reading = Promise.all([
      this.#local.close(),
      this.#leases.close(),
      ...hosts.map(({ reads }) => reads.close()),
    ]);
    const ended = this.#queues.stop(new LayerClosedError(), reading);
    const patience = new AbortController();
    await Promise.race([ended, pause(closeWithinMs, undefined, { signal: patience.signal })]);
    patience.abort();
    for (const host of hosts) host.close();
    await ended;
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new LayerClosedError();
  }

  #groupKey(group: string): string {
    return `${this.#prefix}:group:${checkGroupName(group)}`;
  }

  /** General channels go round the hosts. */
  #hostFor(channel: string, key: string): Host {
    return key === channel ? this.#ring.next() : this.#ring.of(key);
  }

  /** Tells of each member whether it was accepted. Those of one call go to one host. */
  async #deliver(
    channel: string,
    members: readonly Buffer[],
    signal: AbortSignal | undefined,
  ): Promise<boolean[]> {
    const key = messageKey(channel);
    const { outbox } = this.#hostFor(channel, key);
    const parts = chunks(members, membersPerScript);
    const accepted = await allDone(
      parts.map((part) => outbox.send([this.#parcel(key, part, channel)], signal)),
    );
    return parts.flatMap((part, i) => part.map((_, j) => j < (accepted[i]?.[0] ?? 0)));
  }

  /** The capacity of a process's key is that of the channel that the message is for, or the first of them. */
  #parcel(key: string, members: readonly Buffer[], channel: string): Parcel {
    return {
      key: this.#prefix + key,
      members,
      capacity: this.#capacity(channel),
      expiryMs: this.#expiryMs(key),
    };
  }

  /** Returns the length of the lease; undefined without one. */
  #checkReceive(channel: string, lease: unknown): number | undefined {
    checkChannelName(channel);
    this.#refuseWhenClosed();
    if (lease === undefined) return undefined;
    checkLeasable(channel);
    return checkLeaseMs('lease', lease);
  }

  async #receiveOne(
    channel: string,
    { signal, lease }: WaitOptions & Partial<LeaseOptions>,
  ): Promise<Received | Leased> {
    const [received] = await this.#receive(channel, 1, this.#checkReceive(channel, lease), signal);
    if (received === undefined) throw new RangeError('a wait ends with a message or with an error');
    return received;
  }

  async #receive(
    channel: string,
    max: number,
    leaseMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Array<Received | Leased>> {
    if (channel.includes('!')) return this.#local.receiveMany(channel, max, signal);
    if (leaseMs !== undefined) return this.#leases.receive(channel, max, leaseMs, signal);
    return (await this.#queues.of(channel).take(max, signal)).map(({ read }) => read());
  }
}

/** Names by the keys of their messages. */
function byKey(names: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const name of names) {
    const key = messageKey(name);
    const known = found.get(key);
    if (known === undefined) found.set(key, [name]);
    else known.push(name);
  }
  return found;
}
