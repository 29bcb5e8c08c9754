// The embedded channel layer: the processes of one machine share a SQLite file, without any server.
//
//   send ────▶ Writer ─────▶ LayerFile ──▶ Waiting ─────┬──▶ receive on a general channel
//   groups ──▶ a turn's      writes the    looks when   └──▶ LocalQueues ──▶ receive on a specific one
//              writes are    wake file     the wake file
//              one commit                  was written

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
  type Leased,
} from '../leases.js';
import type { Listening } from '../listening.js';
import { LocalQueues, type ProcessMessage } from '../local-queues.js';
import { copyOf } from '../message-copy.js';
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
import { LayerFile } from './sqlite/layer-file.js';
import { leasePolicy, SqliteLeases } from './sqlite/leases.js';
import { type MessageStore, readBody } from './sqlite/message-store.js';
import { SqliteStats } from './sqlite/stats.js';
import { Waiting } from './sqlite/waiting.js';
import { Writer } from './sqlite/writer.js';

export { LayerFileError } from './sqlite/errors.js';

export interface SqliteLayerOptions extends LayerOptions {
  /**
   * The file, made where it is missing; beside it lie `-wal`, `-shm` and `-wake`. On a local disk, in a directory that
   * exists.
   */
  readonly path: string;
}

/** How many messages of one `sendMany` go into one transaction, so that it does not hold the lock for long. */
const messagesPerWrite = 500;

/**
 * A channel layer in a SQLite file that any number of processes on one machine open. The file is opened by the
 * first call that needs it. Several processes may wait on a channel; each message goes to one of them. A message is in
 * the file when its `send` resolves, and survives any crash of a process.
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
  readonly #now: () => number;
  readonly #onDrop: ((dropped: DroppedMessage) => void) | undefined;
  readonly #file: LayerFile;
  readonly #writer: Writer;
  readonly #waiting: Waiting;
  readonly #local: LocalQueues;
  readonly #leases: SqliteLeases;
  readonly #stats: SqliteStats;
  #closing: Promise<void> | undefined;

  constructor(options: SqliteLayerOptions) {
    this.#capacity = capacityOf(options);
    this.#expiryMs = expiryMsOf(options);
    this.#groupExpiryMs = secondsToMs('groupExpiry', options.groupExpiry ?? 86_400);
    this.#now = options.now ?? Date.now;
    this.#onDrop = options.onDrop;
    this.#file = new LayerFile(checkPath(options.path), (channel, reason, count) => {
      for (let i = 0; i < count; i++) this.#onDrop?.({ channel, reason });
    });
    const rules = { capacity: this.#capacity, expiryMsOf: this.#expiryMs, onDrop: this.#onDrop };
    const common = { ...rules, file: this.#file, now: this.#now };
    const maxDeliveries = checkMaxDeliveries(options.maxDeliveries);
    this.#writer = new Writer(common);
    this.#waiting = new Waiting({ ...common, policyOf: (key) => leasePolicy(key, rules, maxDeliveries) });
    this.#leases = new SqliteLeases({ ...common, writer: this.#writer, waiting: this.#waiting });
    this.#stats = new SqliteStats({ ...common, groupExpiryMs: this.#groupExpiryMs });
    this.#local = new LocalQueues({
      ...common,
      expiryMs: this.#expiryMs(''),
      take: (key, wanted, signal) => this.#takeForProcess(key, wanted, signal),
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
    this.#waiting.wake(key);
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
    const [received] = await this.#receive(channel, 1, leaseMs, signal);
    if (received === undefined) throw new RangeError('unreachable: there is at least one');
    return received;
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
      return this.#receive(channel, max, leaseMs, signal);
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
    const keys = await this.#write((store, now) => {
      const expiresAt = this.#expiresAt(group, now);
      return store.putToGroup({ group, body, now, capacity: this.#capacity, expiresAt });
    });
    for (const key of keys) this.#waiting.wake(key);
  }

  async stats(): Promise<LayerStats> {
    this.#refuseWhenClosed();
    return layerStats(this.#stats.depths(), this.#capacity, this.#now());
  }

  async peek(channel: string, options: PeekOptions = {}): Promise<Peeked[]> {
    this.#refuseWhenClosed();
    checkChannelName(channel);
    return peekAt(channel, options, async (key, max, onLease) => this.#stats.peek(key, max, onLease));
  }

  async groups(group?: string): Promise<GroupReport[]> {
    this.#refuseWhenClosed();
    if (group !== undefined) checkGroupName(group);
    return this.#stats.groups(group);
  }

  async deadLetters(channel?: string, options?: DeadLetterOptions): Promise<DeadLetterReport[]> {
    this.#refuseWhenClosed();
    if (channel !== undefined) checkLeasable(checkChannelName(channel));
    return this.#leases.deadLetters(channel, checkDeadLetterOptions(options));
  }

  async redrive(channel: string, ids?: readonly string[]): Promise<number> {
    this.#refuseWhenClosed();
    checkLeasable(checkChannelName(channel));
    return this.#leases.redrive(channel, ids);
  }

  /** The store is the file, which is read every few seconds while somebody waits. */
  listening(channel: string): Listening | undefined {
    return this.#waiting.listening(messageKey(channel));
  }

  async flush(): Promise<void> {
    await this.#write((store) => store.clear());
    this.#local.clear();
  }

  /** Writes what was sent before, as far as the file lets it at once, and ends all waits. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#writer.close();
    this.#waiting.close();
    await this.#local.close();
    this.#file.close();
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
    if (count > 0) this.#waiting.wake(key);
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

  /** At least one; what cannot be read is dropped. */
  async #receive(
    channel: string,
    max: number,
    leaseMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Array<Received | Leased>> {
    if (leaseMs !== undefined) return this.#leases.receive(channel, max, leaseMs, signal);
    for (;;) {
      const taken = await this.#waiting.take(channel, max, signal);
      const received = taken.flatMap(({ body }): Received[] => this.#read(channel, body));
      if (received.length > 0) return received;
    }
  }

  async #takeForProcess(
    key: string,
    wanted: number,
    signal: AbortSignal,
  ): Promise<readonly ProcessMessage[]> {
    for (;;) {
      const taken = await this.#waiting.take(key, wanted, signal);
      const messages = taken.flatMap(({ channels, body }) =>
        this.#read(key, body).map((message) => ({ channels, read: () => copyOf(message) })),
      );
      if (messages.length > 0) return messages;
    }
  }

  /** The message, or none after telling why there is none. */
  #read(channel: string, body: Uint8Array): Received[] {
    try {
      return [readBody(body)];
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.#onDrop?.({ channel, reason: 'undecodable', error });
      return [];
    }
  }
}

function checkPath(path: unknown): string {
  if (typeof path === 'string' && path !== '' && path !== ':memory:') return resolve(path);
  throw new InvalidOptionError('path', 'the path of a file (in memory: InMemoryChannelLayer)', path);
}
