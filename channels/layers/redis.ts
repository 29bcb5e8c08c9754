// The channel layer of a site on several machines, or one that shares its Redis with Python processes.

import type { Message, Received } from '../application.js';
import { ChannelFull, InvalidOptionError, LayerClosedError, UndecodableError } from '../errors.js';
import {
  type ChannelLayer,
  capacityOf,
  checkChannelName,
  checkGroupName,
  checkMessage,
  type DroppedMessage,
  type Extension,
  type LayerOptions,
  messageKey,
  secondsToMs,
  type WaitOptions,
} from '../layer.js';
import { LocalQueues, type ProcessMessage } from '../local-queues.js';
import { type CodecOptions, MessageCodec } from '../message-codec.js';
import { type Address, parseAddress } from './redis/address.js';
import type { Entry } from './redis/blocking-reads.js';
import { Connection, type ConnectionChange } from './redis/connection.js';
import { flush } from './redis/flush.js';
import { KeyReaders } from './redis/key-readers.js';
import { Members, type ReadMember } from './redis/members.js';

export type { ConnectionChange } from './redis/connection.js';

/**
 * Options of `RedisChannelLayer`. Peers must agree on `hosts`, `prefix`, `randomPrefixLength`, `serializer` and
 * `symmetricEncryptionKeys`.
 */
export interface RedisLayerOptions extends LayerOptions, CodecOptions {
  /**
   * URLs: `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS, `unix:///socket?db=0`. One for now.
   * Default `['redis://localhost:6379']`.
   */
  readonly hosts?: readonly string[] | undefined;
  /** What all keys begin with, without a separator. Default `asgi`. */
  readonly prefix?: string | undefined;
  /** Random bytes before each message, which keep equal messages apart. Default 12. */
  readonly randomPrefixLength?: number | undefined;
  /** Milliseconds until a call gives Redis up: once for the connection, once for the reply. Default 2,000. */
  readonly timeoutMs?: number | undefined;
  /** Told once when Redis goes away and once when it is back. Must not throw. */
  readonly onConnection?: ((change: ConnectionChange) => void) | undefined;
}

/** A token may be so much older than the expiry. Source: docs/wire.md section 6. */
const tokenGraceSeconds = 10;

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
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush']);
  readonly #prefix: string;
  readonly #capacity: (channel: string) => number;
  readonly #expiryMs: number;
  readonly #groupExpiryMs: number;
  readonly #now: () => number;
  readonly #onDrop: ((dropped: DroppedMessage) => void) | undefined;
  readonly #members: Members;
  readonly #commands: Connection;
  readonly #readers: KeyReaders<ProcessMessage>;
  readonly #local: LocalQueues;
  #closed = false;

  constructor(options: RedisLayerOptions = {}) {
    this.#prefix = checkPrefix(options.prefix ?? 'asgi');
    this.#capacity = capacityOf(options);
    this.#expiryMs = secondsToMs('expiry', options.expiry ?? 60);
    this.#groupExpiryMs = secondsToMs('groupExpiry', options.groupExpiry ?? 86_400);
    this.#now = options.now ?? Date.now;
    this.#onDrop = options.onDrop;
    const ttlSeconds = this.#expiryMs / 1000 + tokenGraceSeconds;
    const codec = new MessageCodec(options, { now: this.#now, ttlSeconds });
    this.#members = new Members(codec, checkCount('randomPrefixLength', options.randomPrefixLength ?? 12, 0));
    const timeoutMs = checkCount('timeoutMs', options.timeoutMs ?? 2000, 1);
    const connection = {
      address: onlyHost(options.hosts),
      connectWithinMs: timeoutMs,
      replyWithinMs: timeoutMs,
      onChange: options.onConnection,
    };
    this.#commands = new Connection(connection);
    this.#readers = new KeyReaders({
      connection,
      commands: this.#commands,
      accept: (key, entry) => this.#accept(key.slice(this.#prefix.length), entry),
      ttlMs: Math.ceil(this.#expiryMs),
    });
    this.#local = new LocalQueues({
      capacity: this.#capacity,
      expiryMs: this.#expiryMs,
      now: this.#now,
      onDrop: this.#onDrop,
      take: async (key, signal) => [await this.#readers.take(this.#prefix + key, false, signal)],
    });
  }

  async send<M extends Message>(channel: string, message: M, options: WaitOptions = {}): Promise<void> {
    const key = messageKey(checkChannelName(channel));
    const member = this.#members.write(checkMessage(message), key === channel ? undefined : channel);
    this.#refuseWhenClosed();
    options.signal?.throwIfAborted();
    const capacity = this.#capacity(channel);
    const full = await this.#deliver([this.#prefix + key], [member, capacity], options.signal);
    if (full > 0) throw new ChannelFull(channel, capacity);
  }

  async receive(channel: string, options: WaitOptions = {}): Promise<Received> {
    checkChannelName(channel);
    this.#refuseWhenClosed();
    if (channel.includes('!')) return this.#local.receive(channel, options.signal);
    return (await this.#readers.take(this.#prefix + channel, true, options.signal)).read();
  }

  async newChannel(prefix?: string): Promise<string> {
    return this.#local.newChannel(prefix);
  }

  async groupAdd(group: string, channel: string): Promise<void> {
    const key = this.#groupKey(group);
    checkChannelName(channel);
    this.#refuseWhenClosed();
    const ttlMs = Math.ceil(this.#groupExpiryMs);
    await this.#commands.run((client) => client.groupAdd(1, key, this.#now() / 1000, ttlMs, channel));
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    const key = this.#groupKey(group);
    checkChannelName(channel);
    this.#refuseWhenClosed();
    await this.#commands.run((client) => client.zrem(key, channel));
  }

  async groupSend<M extends Message>(group: string, message: M): Promise<void> {
    const groupKey = this.#groupKey(group);
    // Written before anything is awaited: what cannot be sent is refused though the group may have no members, and
    // what the caller changes afterwards is not sent.
    const memberFor = this.#members.writeForGroup(checkMessage(message));
    this.#refuseWhenClosed();
    const endedAt = (this.#now() - this.#groupExpiryMs) / 1000;
    const channels = await this.#commands.run((client) => client.groupMembers(1, groupKey, endedAt));
    const keys: string[] = [];
    const deliveries: Array<Buffer | number> = [];
    for (const [key, names] of byMessageKey(channels)) {
      keys.push(this.#prefix + key);
      deliveries.push(memberFor(names), this.#capacity(names[0] ?? key));
    }
    if (keys.length > 0) await this.#deliver(keys, deliveries);
  }

  /**
   * Removes every sorted set whose name begins with the prefix, a few at a time, so that Redis goes on serving. Names
   * have no separator after the prefix: another layer's with the prefix `asgi2` begin with `asgi` and go as well.
   */
  async flush(): Promise<void> {
    this.#refuseWhenClosed();
    this.#local.clear();
    await flush(this.#commands, this.#prefix);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#local.close(), this.#readers.close()]);
    this.#commands.close();
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new LayerClosedError();
  }

  #groupKey(group: string): string {
    return `${this.#prefix}:group:${checkGroupName(group)}`;
  }

  /** Adds to each key its member, given with the key's capacity; returns how many keys were full. */
  #deliver(keys: string[], deliveries: Array<Buffer | number>, signal?: AbortSignal): Promise<number> {
    const ttlMs = Math.ceil(this.#expiryMs);
    return this.#commands.run((client) => {
      const now = this.#now();
      const expired = (now - this.#expiryMs) / 1000;
      return client.deliver(keys.length, ...keys, now / 1000, expired, ttlMs, ...deliveries);
    }, signal);
  }

  /** Judges what came from a key: too old or no message at all is dropped. */
  #accept(channel: string, { member, score }: Entry): ProcessMessage | undefined {
    if (score * 1000 <= this.#now() - this.#expiryMs) {
      this.#onDrop?.({ channel, reason: 'expired' });
      return undefined;
    }
    try {
      return delivery(this.#members, member, channel);
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.#onDrop?.({ channel, reason: 'undecodable', error });
      return undefined;
    }
  }
}

/**
 * A message that was taken from under a key. What was read to see for whom it is goes to the first who asks; the others
 * get a reading of their own.
 *
 * @throws UndecodableError
 */
function delivery(members: Members, member: Buffer, key: string): ProcessMessage {
  let first: ReadMember | undefined = members.read(member);
  // A process key takes messages for its own channels only; one that names none is for the key itself.
  const channels = (first.channels ?? [key]).filter((name) => messageKey(name) === key);
  if (channels.length === 0 && key.includes('!'))
    throw new UndecodableError('the message names no channel of the process that it was sent to');
  const read = () => {
    const { message } = first ?? members.read(member);
    first = undefined;
    return message;
  };
  return { channels, read };
}

function byMessageKey(channels: readonly string[]): Map<string, string[]> {
  const byKey = new Map<string, string[]>();
  for (const channel of channels) {
    const key = messageKey(channel);
    const names = byKey.get(key);
    if (names === undefined) byKey.set(key, [channel]);
    else names.push(channel);
  }
  return byKey;
}

function onlyHost(hosts: unknown): Address {
  const list = Array.isArray(hosts) && hosts.length === 0 ? undefined : hosts;
  const [url, ...others] = checkList(list ?? ['redis://localhost:6379']);
  if (others.length > 0)
    throw new InvalidOptionError('hosts', 'a list of one URL', `${others.length + 1} URLs`);
  return parseAddress('hosts[0]', url);
}

function checkList(hosts: unknown): readonly unknown[] {
  if (Array.isArray(hosts)) return hosts;
  // Not shown: a URL may hold a password.
  throw new InvalidOptionError('hosts', 'a list of URLs', typeof hosts);
}

function checkPrefix(prefix: unknown): string {
  if (typeof prefix === 'string') return prefix;
  throw new InvalidOptionError('prefix', 'text', prefix);
}

function checkCount(option: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new InvalidOptionError(option, `a whole number of at least ${least}`, value);
}
