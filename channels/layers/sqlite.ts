// The embedded channel layer: the processes of one machine share a SQLite file, without any server.
//
//   send ────▶ Writer ─────▶ LayerFile ──▶ Reader ──────┬──▶ receive on a general channel
//   groups ──▶ a turn's      rings the     looks when   └──▶ LocalQueues ──▶ receive on a specific one
//              writes are    doorbell      the doorbell
//              one commit                  rang

import { resolve } from 'node:path';
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
  deadLetter,
  deadLetterChannel,
  isDeadLetterChannel,
  type Leased,
  LeasedMessage,
  type LeaseKeeper,
} from '../leases.js';
import type { Listening } from '../listening.js';
import { LocalQueues, type ProcessMessage } from '../local-queues.js';
import { encode } from '../msgpack.js';
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
import { readBody } from './sqlite/bodies.js';
import { LayerFile } from './sqlite/layer-file.js';
import type { KeyedLeaseToken, LeasedRow, LeasePolicy } from './sqlite/lease-store.js';
import type { MessageStore, StoredMessage } from './sqlite/message-store.js';
import { Reader } from './sqlite/reader.js';
import { SqliteSource } from './sqlite/source.js';
import { Writer } from './sqlite/writer.js';

export { LayerFileError } from './sqlite/errors.js';

export interface SqliteLayerOptions extends LayerOptions {
  /**
   * The file, made where it is missing; beside it lie `-wal`, `-shm` and `-wake-0` to `-wake-7`. On a local disk, in a
   * directory that exists.
   */
  readonly path: string;
}

/** How many messages of one `sendMany` go into one transaction, so that it does not hold the lock for long. */
const messagesPerWrite = 500;

/**
 * A channel layer in a SQLite file that any number of processes on one machine open. The file is opened by the
 * first call that needs it. Several processes may wait on a channel; each message goes to one of them, within
 * some tenths of a millisecond. A message is in the file when its `send` resolves, and survives any crash of a process.
 *
 * Errors about the file are `LayerFileError` (`CHANNELS_ERR_LAYER_UNAVAILABLE`). A receive waits through a lock, a
 * full disk and a file that was deleted (a new one is made), but not through a damaged or read-only one.
 *
 * @throws InvalidOptionError
 * @example const layer = new SqliteChannelLayer({ path: 'channels.db' })
 */
export class SqliteChannelLayer implements ChannelLayer {
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush', 'lease', 'stats']);
  readonly #capacity: (channel: string) => number;
  readonly #expiryMs: (channel: string) => number;
  readonly #groupExpiryMs: number;
  readonly #maxDeliveries: number;
  readonly #now: () => number;
  readonly #onDrop: ((dropped: DroppedMessage) => void) | undefined;
  readonly #file: LayerFile;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #local: LocalQueues;
  readonly #source: SqliteSource;
  readonly #keeper: LeaseKeeper<KeyedLeaseToken> = {
    ack: (token) => this.#write((store) => store.leases.acknowledge(token)),
    extend: async (token, leaseMs) => {
      const isInTime = await this.#write((store, now) => store.leases.extend(token, leaseMs, now));
      this.#reader.wake(token.key);
      return isInTime;
    },
    release: async (token, untried) => {
      const isInTime = await this.#write((store, now) => store.leases.release(token, untried, now));
      this.#reader.wake(token.key);
      return isInTime;
    },
  };
  #closing: Promise<void> | undefined;

  constructor(options: SqliteLayerOptions) {
    this.#capacity = capacityOf(options);
    this.#expiryMs = expiryMsOf(options);
    this.#groupExpiryMs = secondsToMs('groupExpiry', options.groupExpiry ?? 86_400);
    this.#maxDeliveries = checkMaxDeliveries(options.maxDeliveries);
    this.#now = options.now ?? Date.now;
    this.#onDrop = options.onDrop;
    this.#file = new LayerFile(checkPath(options.path), (channel, reason, count) => {
      for (let i = 0; i < count; i++) this.#onDrop?.({ channel, reason });
    });
    const common = { file: this.#file, now: this.#now };
    this.#writer = new Writer({ ...common, expiryMsOf: this.#expiryMs });
    this.#reader = new Reader({ ...common, policyOf: (key) => this.#leasePolicy(key) });
    this.#local = new LocalQueues({
      capacity: this.#capacity,
      expiryMs: this.#expiryMs(''),
      now: this.#now,
      onDrop: this.#onDrop,
      take: (key, wanted, signal) => this.#takeForProcess(key, wanted, signal),
    });
    this.#source = new SqliteSource({
      ...common,
      expiryMsOf: this.#expiryMs,
      groupExpiryMs: this.#groupExpiryMs,
    });
  }

  async send<M extends Message>(channel: string, message: M, options: WaitOptions = {}): Promise<void> {
    const key = messageKey(checkChannelName(channel));
    const body = encode(checkMessage(message));
    const capacity = this.#capacity(channel);
    const isAccepted = await this.#write((store, now) => {
      const expiresAt = this.#expiresAt(key, now);
      return store.put({ key, channels: [channel], body, capacity, now, expiresAt });
    }, options.signal);
    if (!isAccepted) throw new ChannelFull(channel, capacity);
    this.#reader.wake(key);
  }

  async sendMany<M extends Message>(
    channel: string,
    messages: readonly M[],
    options: WaitOptions = {},
  ): Promise<SendOutcome[]> {
    checkChannelName(channel);
    const { outcomes, sendable } = writeEach(messages, encode);
    await Promise.all(
      chunks(sendable, messagesPerWrite).map(async (chunk) => {
        const bodies = chunk.map(({ bytes }) => bytes);
        const count = await this.#putMany(channel, bodies, options.signal);
        for (const { index } of chunk.slice(count)) {
          outcomes[index] = { accepted: false, error: new ChannelFull(channel, this.#capacity(channel)) };
        }
      }),
    );
    return outcomes;
  }

  receive(channel: string, options: LeaseOptions): Promise<Leased>;
  receive(channel: string, options?: WaitOptions): Promise<Received>;
  async receive(
    channel: string,
    { signal, lease }: WaitOptions & Partial<LeaseOptions> = {},
  ): Promise<Received | Leased> {
    const leaseMs = this.#checkReceive(channel, lease);
    if (channel.includes('!')) return await this.#local.receive(channel, signal);
    for (;;) {
      const [received] = await this.#receive({ channel, max: 1, leaseMs, signal });
      if (received) return received;
    }
  }

  receiveMany(channel: string, options: LeaseManyOptions): Promise<Leased[]>;
  receiveMany(channel: string, options?: ReceiveManyOptions): Promise<Received[]>;
  async receiveMany(
    channel: string,
    { lease, ...options }: ReceiveManyOptions & Partial<LeaseOptions> = {},
  ): Promise<Array<Received | Leased>> {
    const leaseMs = this.#checkReceive(channel, lease);
    const { max, waitMs } = checkReceiveMany(options);
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
    checkGroupName(group);
    checkChannelName(channel);
    await this.#write((store, now) => store.addMember(group, channel, Math.ceil(now + this.#groupExpiryMs)));
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    await this.#write((store) => store.removeMember(group, channel));
  }

  async groupSend<M extends Message>(group: string, message: M): Promise<void> {
    checkGroupName(group);
    const body = encode(checkMessage(message));
    const accepted = await this.#write((store, now) => {
      const expiresAt = this.#expiresAt(group, now);
      return store.putToGroup({ group, body, now, capacity: this.#capacity, expiresAt });
    });
    for (const key of accepted) this.#reader.wake(key);
  }

  async stats(): Promise<LayerStats> {
    this.#refuseWhenClosed();
    return layerStats(this.#source.depths(), this.#capacity, this.#now());
  }

  async peek(channel: string, options: PeekOptions = {}): Promise<Peeked[]> {
    this.#refuseWhenClosed();
    checkChannelName(channel);
    return peekAt(channel, options, async (key, max, onLease) => this.#source.peek(key, max, onLease));
  }

  async groups(group?: string): Promise<GroupReport[]> {
    this.#refuseWhenClosed();
    if (group !== undefined) checkGroupName(group);
    return this.#source.groups(group);
  }

  /** The store is the file, which is read every few seconds while somebody waits. */
  listening(channel: string): Listening | undefined {
    return this.#reader.listening(messageKey(channel));
  }

  async deadLetters(channel?: string, options?: DeadLetterOptions): Promise<DeadLetterReport[]> {
    this.#refuseWhenClosed();
    if (channel !== undefined) checkLeasable(checkChannelName(channel));
    return this.#source.deadLetters(channel, checkDeadLetterOptions(options));
  }

  async redrive(channel: string, ids?: readonly string[]): Promise<number> {
    this.#refuseWhenClosed();
    checkLeasable(checkChannelName(channel));
    return this.#redrive(channel, ids);
  }

  async flush(): Promise<void> {
    await this.#write((store) => store.clear());
    this.#reader.clear();
    this.#local.clear();
  }

  /**
   * Writes what was sent before, as far as the file lets it at once, ends all waits and puts back what was read ahead.
   * Safe to call twice.
   *
   * @throws LayerFileError when messages that were read ahead are lost, as the file was locked for more than 5 s or is
   *   beyond use; the layer is closed all the same
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#writer.close();
    try {
      await Promise.all([this.#reader.close(), this.#local.close()]);
    } finally {
      this.#file.close();
    }
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new LayerClosedError();
  }

  #write<T>(work: (store: MessageStore, now: number) => T, signal?: AbortSignal): Promise<T> {
    return this.#writer.add((store) => work(store, this.#now()), signal);
  }

  #expiresAt(channel: string, now: number): number {
    return Math.ceil(now + this.#expiryMs(channel));
  }

  /** Returns how many were accepted: the first so many. */
  async #putMany(
    channel: string,
    bodies: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const key = messageKey(channel);
    const capacity = this.#capacity(channel);
    const count = await this.#write((store, now) => {
      const expiresAt = this.#expiresAt(key, now);
      return store.putMany({ key, channels: [channel], bodies, capacity, now, expiresAt });
    }, signal);
    if (count > 0) this.#reader.wake(key);
    return count;
  }

  /** Returns the length of the lease; undefined without one. */
  #checkReceive(channel: string, lease: unknown): number | undefined {
    checkChannelName(channel);
    this.#refuseWhenClosed();
    if (lease === undefined) return undefined;
    checkLeasable(channel);
    return checkLeaseMs('lease', lease);
  }

  /** Empty when what was taken had to be dropped. */
  async #receive({ channel, max, leaseMs, signal }: Request): Promise<Array<Received | Leased>> {
    const stored =
      leaseMs === undefined
        ? await this.#reader.take(channel, max, signal)
        : await this.#reader.lease(channel, max, leaseMs, signal);
    const received: Array<Received | Leased> = [];
    for (const each of stored) {
      const message = this.#read(channel, each);
      if (message === undefined) {
        if (isLeased(each)) this.#acknowledgeUnread(channel, each);
        continue;
      }
      const { deliveries = 1 } = each;
      const token = isLeased(each) ? tokenOf(channel, each) : undefined;
      received.push(
        token === undefined
          ? message
          : new LeasedMessage(this.#keeper, token, { channel, message, deliveries }),
      );
    }
    return received;
  }

  #acknowledgeUnread(channel: string, row: LeasedRow): void {
    this.#keeper.ack(tokenOf(channel, row)).catch(() => {
      // Then it comes again, and is dropped again.
    });
  }

  async #redrive(channel: string, ids: readonly string[] | undefined): Promise<number> {
    const letters = this.#source.deadLetters(channel, Number.MAX_SAFE_INTEGER);
    const chosen = letters.filter(({ id }) => ids?.includes(id) ?? true);
    const capacity = this.#capacity(channel);
    const count = await this.#write((store, now) =>
      store.atomically(() => {
        let moved = 0;
        for (const { id, message } of chosen) {
          const body = encode(message);
          const expiresAt = this.#expiresAt(channel, now);
          if (!store.isThere(deadLetterChannel(channel), Number(id))) continue;
          if (!store.put({ key: channel, channels: [channel], body, capacity, now, expiresAt })) break;
          store.removeAt(deadLetterChannel(channel), Number(id));
          moved++;
        }
        return moved;
      }),
    );
    this.#reader.wake(channel);
    return count;
  }

  #leasePolicy(key: string): LeasePolicy {
    const expiryMs = this.#expiryMs(key);
    if (isDeadLetterChannel(key)) return { expiryMs };
    const channel = deadLetterChannel(key);
    return {
      expiryMs,
      dead: {
        maxDeliveries: this.#maxDeliveries,
        key: channel,
        capacity: this.#capacity(channel),
        expiryMs: this.#expiryMs(channel),
        wrap: (body, deliveries) => this.#wrap(key, body, deliveries),
      },
    };
  }

  async #takeForProcess(
    key: string,
    wanted: number,
    signal: AbortSignal,
  ): Promise<readonly ProcessMessage[]> {
    for (;;) {
      const taken = await this.#reader.take(key, wanted, signal);
      const messages = taken.flatMap((stored) => this.#forProcess(key, stored) ?? []);
      if (messages.length > 0) return messages;
    }
  }

  /** Decoded here once, so that one who is not meant never stumbles over bad bytes; further readers get copies. */
  #forProcess(key: string, stored: StoredMessage): ProcessMessage | undefined {
    let first = this.#read(key, stored);
    if (first === undefined) return undefined;
    const read = () => {
      const message = first ?? readBody(stored.body);
      first = undefined;
      return message;
    };
    return { channels: stored.channels, read };
  }

  /** The message, or undefined after telling why there is none. */
  #read(channel: string, { body }: StoredMessage): Received | undefined {
    try {
      return readBody(body);
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.#onDrop?.({ channel, reason: 'undecodable', error });
      return undefined;
    }
  }

  /** A dead letter's bytes; undefined when the message is beyond reading. */
  #wrap(channel: string, body: Uint8Array, deliveries: number): Uint8Array | undefined {
    try {
      return encode(deadLetter(channel, readBody(body), deliveries));
    } catch (error) {
      if (error instanceof UndecodableError) return undefined;
      throw error;
    }
  }
}

function tokenOf(key: string, { id, token }: LeasedRow): KeyedLeaseToken {
  return { id, token, key };
}

/** What a receive asks for. */
interface Request {
  readonly channel: string;
  readonly max: number;
  readonly leaseMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

function isLeased(stored: StoredMessage | LeasedRow): stored is LeasedRow {
  return 'token' in stored;
}

function checkPath(path: unknown): string {
  if (typeof path === 'string' && path !== '' && path !== ':memory:') return resolve(path);
  throw new InvalidOptionError('path', 'the path of a file (in memory: InMemoryChannelLayer)', path);
}
