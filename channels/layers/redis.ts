// The channel layer of a site on several machines, or one that shares its Redis with Python processes.

import { setTimeout as pause } from 'node:timers/promises';
import type { Message, Received } from '../application.js';
import { ChannelFull, InvalidOptionError, LayerClosedError, UndecodableError } from '../errors.js';
import {
  type ChannelLayer,
  capacityOf,
  checkChannelName,
  checkGroupName,
  checkMaxDeliveries,
  checkMessage,
  checkReceiveMany,
  type DroppedMessage,
  type Extension,
  expiryMsOf,
  type LayerOptions,
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
  isDeadLetterChannel,
  type Leased,
} from '../leases.js';
import { type Listening, worstOf } from '../listening.js';
import { LocalQueues, type ProcessMessage } from '../local-queues.js';
import { type CodecOptions, MessageCodec } from '../message-codec.js';
import { copyOf } from '../message-copy.js';
import { chunks, writeEach } from '../outgoing.js';
import { patiently } from '../patience.js';
import {
  type GroupReport,
  type LayerStats,
  layerStats,
  type Peeked,
  type PeekOptions,
  peekAt,
} from '../stats.js';
import { leaseKeys } from './redis/channel-keys.js';
import { ChannelQueue } from './redis/channel-queue.js';
import type { ConnectionChange } from './redis/connection.js';
import { DeadLetters } from './redis/dead-letters.js';
import { Host, Ring } from './redis/host.js';
import { type Host as HostOption, parseHosts } from './redis/hosts.js';
import { entryHeaderBytes } from './redis/lease-scripts.js';
import { RedisLeases } from './redis/leases.js';
import { Members } from './redis/members.js';
import { membersPerScript, type Parcel } from './redis/outbox.js';
import { flush } from './redis/scan.js';
import { RedisSource } from './redis/source.js';
import type { Entry } from './redis/waiting.js';

export type { ConnectionChange } from './redis/connection.js';
export type { Host as RedisHost, HostOptions as RedisHostOptions } from './redis/hosts.js';

/** Something about a server that loses messages sooner or later. */
export interface LayerWarning {
  /** `may-evict`: when the server's memory gets short it throws away keys, and with them messages. */
  readonly code: 'may-evict';
  /** The server's name, without anything secret. */
  readonly host: string;
  /** A sentence for the maintainer: what it is and what to do. */
  readonly text: string;
}

/**
 * Options of `RedisChannelLayer`. Peers must agree on `hosts`, `prefix`, `randomPrefixLength`, `serializer` and
 * `symmetricEncryptionKeys`.
 */
export interface RedisLayerOptions extends LayerOptions, CodecOptions {
  /**
   * Servers: URLs, pairs of host and port, or objects; see `RedisHost`. Default `['redis://localhost:6379']`. Several
   * share the channels between them, by their order: see docs/channels.md.
   */
  readonly hosts?: readonly HostOption[] | undefined;
  /** What all keys begin with, without a separator. Default `asgi`. */
  readonly prefix?: string | undefined;
  /** Random bytes before each message, which keep equal messages apart. Default 12. */
  readonly randomPrefixLength?: number | undefined;
  /** Milliseconds until a call gives Redis up: once for the connection, once for the reply. Default 2,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Milliseconds after which a wait for messages is begun anew. A connection that has died without a word is noticed
   * so long after its last reply and `timeoutMs` more, at most 5 s. From 10 to 60,000; default 10,000.
   */
  readonly blockMs?: number | undefined;
  /** Told once when a server goes away and once when it is back. Must not throw. */
  readonly onConnection?: ((change: ConnectionChange) => void) | undefined;
  /** Told once of what is dangerous about a server, when the first connection to it is made. Must not throw. */
  readonly onWarning?: ((warning: LayerWarning) => void) | undefined;
}

/** A token may be so much older than the expiry. Source: docs/wire.md section 6. */
const tokenGraceSeconds = 10;
/** Beyond this a dead connection would be noticed too late to be of use. */
const longestBlockMs = 60_000;
/** How long `close` waits for what is on its way back to Redis. */
const closeWithinMs = 1000;
/** From so many queues on those are forgotten that nobody uses. */
const mostIdleQueues = 1000;

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
  readonly #onDrop: ((dropped: DroppedMessage) => void) | undefined;
  readonly #members: Members;
  readonly #ring: Ring;
  /** By the keys of their messages. */
  readonly #queues = new Map<string, ChannelQueue<ProcessMessage>>();
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
    this.#onDrop = options.onDrop;
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
    this.#deadLetters = new DeadLetters({ ...common, ...limits });
    this.#leases = new RedisLeases({
      ...common,
      ...limits,
      maxDeliveries: checkMaxDeliveries(options.maxDeliveries),
      onDrop: this.#onDrop,
    });
    this.#local = new LocalQueues({
      capacity: this.#capacity,
      expiryMs,
      now: this.#now,
      onDrop: this.#onDrop,
      take: (key, wanted, signal) => this.#queue(key).take(wanted, signal),
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
    if (waitMs === 0 && !channel.includes('!')) {
      options.signal?.throwIfAborted();
      return this.#receiveNow({ channel, max, leaseMs });
    }
    return patiently<Received | Leased>(waitMs, options.signal, async (signal) => {
      if (channel.includes('!')) return this.#local.receiveMany(channel, max, signal);
      for (;;) {
        const received = await this.#receive({ channel, max, leaseMs, signal });
        if (received.length > 0) return received;
      }
    });
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
    const found = [
      this.#queues.get(this.#prefix + messageKey(channel))?.listening(),
      this.#leases.listening(channel),
    ];
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
    const queues = [...this.#queues.values()];
    for (const queue of queues) queue.fail(new LayerClosedError());
    const ended = Promise.all([
      this.#local.close(),
      this.#leases.close(),
      ...this.#ring.hosts.map(({ reads }) => reads.close()),
    ]).then(() => Promise.all(queues.map((queue) => queue.stop())));
    const patience = new AbortController();
    await Promise.race([ended, pause(closeWithinMs, undefined, { signal: patience.signal })]);
    patience.abort();
    for (const host of this.#ring.hosts) host.close();
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
    const leaseMs = this.#checkReceive(channel, lease);
    if (channel.includes('!')) return await this.#local.receive(channel, signal);
    for (;;) {
      const [received] = await this.#receive({ channel, max: 1, leaseMs, signal });
      if (received !== undefined) return received;
    }
  }

  /** Empty when what was taken had to be dropped. */
  async #receive({ channel, max, leaseMs, signal }: Request): Promise<Array<Received | Leased>> {
    if (leaseMs !== undefined) return this.#leases.receive(channel, max, leaseMs, signal);
    return (await this.#queue(channel).take(max, signal)).map(({ read }) => read());
  }

  async #receiveNow({ channel, max, leaseMs }: Request): Promise<Array<Received | Leased>> {
    if (leaseMs !== undefined) return this.#leases.receiveNow(channel, max, leaseMs);
    return (await this.#queue(channel).takeNow(max)).map(({ read }) => read());
  }

  /** The queue of a general channel, or of a process's key. */
  #queue(channel: string): ChannelQueue<ProcessMessage> {
    const name = this.#prefix + channel;
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    if (this.#queues.size >= mostIdleQueues)
      for (const [key, queue] of this.#queues) if (!queue.isBusy) this.#queues.delete(key);
    const queue = new ChannelQueue({
      keys: channel.endsWith('!') ? { channel, messages: name } : leaseKeys(this.#prefix, channel),
      expiryMs: Math.ceil(this.#expiryMs(channel)),
      hosts: this.#ring.hosts,
      accept: (entry) => this.#accept(entry),
      onExpired: (count) => this.#tellExpired(channel, count),
    });
    this.#queues.set(name, queue);
    return queue;
  }

  #tellExpired(channel: string, count: number): void {
    for (let i = 0; i < count; i++) this.#onDrop?.({ channel, reason: 'expired' });
  }

  /** Judges what came from a key: too old or no message at all is dropped. What comes again is as old as it is. */
  #accept(entry: Entry): ProcessMessage | undefined {
    const { key, score } = entry;
    const again = `${this.#prefix}:again:`;
    const isAgain = key.startsWith(again);
    const channel = key.slice(isAgain ? again.length : this.#prefix.length);
    const member = isAgain ? entry.member.subarray(entryHeaderBytes) : entry.member;
    if (!isAgain && score * 1000 <= this.#now() - this.#expiryMs(channel)) {
      this.#onDrop?.({ channel, reason: 'expired' });
      return undefined;
    }
    const isAnyAge = isAgain || isDeadLetterChannel(channel);
    try {
      return delivery(this.#members, member, channel, isAnyAge);
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.#onDrop?.({ channel, reason: 'undecodable', error });
      return undefined;
    }
  }
}

/** What a receive asks for. */
interface Request {
  readonly channel: string;
  readonly max: number;
  readonly leaseMs: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The message is read once. Where it is for several channels, each gets a copy.
 *
 * @throws UndecodableError
 */
function delivery(members: Members, member: Buffer, key: string, isAnyAge: boolean): ProcessMessage {
  const { message, channels: named } = members.read(member, isAnyAge);
  // A process key takes messages for its own channels only; one that names none is for the key itself.
  const isOwn = key.endsWith('!') ? (name: string) => name.startsWith(key) : (name: string) => name === key;
  const channels = (named ?? [key]).filter(isOwn);
  if (channels.length === 0 && key.includes('!'))
    throw new UndecodableError('the message names no channel of the process that it was sent to');
  const read = channels.length === 1 ? () => message : () => copyOf(message);
  return { channels, read };
}

/** Waits for all, and then rejects with the first failure. */
async function allDone<T>(work: ReadonlyArray<Promise<T>>): Promise<T[]> {
  return (await Promise.allSettled(work)).map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
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

function warnOnce(host: string, onWarning: (warning: LayerWarning) => void): (policy?: string) => void {
  let warned = false;
  return (policy) => {
    if (warned || policy === undefined) return;
    warned = true;
    const text = `Redis at ${host} throws away messages when its memory gets short: its maxmemory-policy is ${policy}; set it to noeviction`;
    onWarning({ code: 'may-evict', host, text });
  };
}

function checkPrefix(prefix: unknown): string {
  if (typeof prefix === 'string') return prefix;
  throw new InvalidOptionError('prefix', 'text', prefix);
}

function checkCount(option: string, value: number, least: number, most = Number.POSITIVE_INFINITY): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  const range = Number.isFinite(most) ? `from ${least} to ${most}` : `of at least ${least}`;
  throw new InvalidOptionError(option, `a whole number ${range}`, value);
}
