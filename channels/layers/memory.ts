// The channel layer of a site that is one process: tests, development, a program without a server.

import type { Message, Received } from '../application.js';
import { ChannelFull, InvalidMessageError, LayerClosedError } from '../errors.js';
import {
  accepted,
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
  checkLeasable,
  checkLeaseMs,
  deadLetter,
  deadLetterChannel,
  isDeadLetterChannel,
  type Leased,
  LeasedMessage,
  type LeaseKeeper,
} from '../leases.js';
import { LocalQueues, type ProcessMessage } from '../local-queues.js';
import { decode, encode } from '../msgpack.js';
import { patiently } from '../patience.js';
import { WaitingQueue } from '../waiting-queue.js';
import { type Loan, Loans } from './memory/loans.js';

/**
 * A channel layer in the memory of this process. Messages are kept as the bytes that would go over the wire, so
 * that each receiver gets a copy and what cannot be sent elsewhere cannot be sent here. A lease that is not over keeps
 * the process alive.
 *
 * Source: django/channels channels/layers.py, InMemoryChannelLayer.
 * @throws InvalidOptionError
 * @example const layer = new InMemoryChannelLayer({ capacity: 10 })
 */
export class InMemoryChannelLayer implements ChannelLayer {
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush', 'lease']);
  readonly #capacity: (channel: string) => number;
  readonly #expiryMs: (channel: string) => number;
  readonly #groupExpiryMs: number;
  readonly #sweepEveryMs: number;
  readonly #maxDeliveries: number;
  readonly #now: () => number;
  readonly #onDrop: ((dropped: DroppedMessage) => void) | undefined;
  /** By message key: a general channel's name, or the part of a specific one up to the `!`. */
  readonly #boxes = new Map<string, WaitingQueue<Filed>>();
  /** When each member of a group was last added, in ms since 1970. */
  readonly #groups = new Map<string, Map<string, number>>();
  readonly #local: LocalQueues;
  readonly #loans: Loans<Filed>;
  readonly #keeper: LeaseKeeper<Loan<Filed>> = {
    ack: async (loan) => this.#openLoans.end(loan),
    extend: async (loan, leaseMs) => this.#openLoans.extend(loan, this.#now() + leaseMs),
    release: async (loan, untried) => this.#release(loan, untried),
  };
  /** How many messages were filed. */
  #filed = 0;
  #nextSweepAt: number;
  #closed = false;

  constructor(options: LayerOptions = {}) {
    this.#capacity = capacityOf(options);
    this.#expiryMs = expiryMsOf(options);
    this.#groupExpiryMs = secondsToMs('groupExpiry', options.groupExpiry ?? 86_400);
    this.#maxDeliveries = checkMaxDeliveries(options.maxDeliveries);
    this.#now = options.now ?? Date.now;
    this.#onDrop = options.onDrop;
    const expiryMs = secondsToMs('expiry', options.expiry ?? 60);
    this.#sweepEveryMs = expiryMs;
    this.#nextSweepAt = this.#now() + expiryMs;
    this.#loans = new Loans({ now: this.#now, onOver: (loans) => this.#takeBack(loans) });
    this.#local = new LocalQueues({
      capacity: this.#capacity,
      expiryMs,
      now: this.#now,
      onDrop: this.#onDrop,
      take: (key, wanted, signal) => this.#take(key, wanted, signal),
    });
  }

  async send<M extends Message>(channel: string, message: M, { signal }: WaitOptions = {}): Promise<void> {
    const key = messageKey(checkChannelName(channel));
    const bytes = encode(checkMessage(message));
    this.#refuseWhenClosed();
    signal?.throwIfAborted();
    if (!this.#hasRoom(key, [channel])) throw new ChannelFull(channel, this.#capacity(channel));
    this.#file(key, [channel], bytes);
  }

  async sendMany<M extends Message>(
    channel: string,
    messages: readonly M[],
    { signal }: WaitOptions = {},
  ): Promise<SendOutcome[]> {
    checkChannelName(channel);
    this.#refuseWhenClosed();
    signal?.throwIfAborted();
    return messages.map((message) => this.#sendOne(channel, message));
  }

  receive(channel: string, options: LeaseOptions): Promise<Leased>;
  receive(channel: string, options?: WaitOptions): Promise<Received>;
  async receive(
    channel: string,
    { signal, lease }: WaitOptions & Partial<LeaseOptions> = {},
  ): Promise<Received | Leased> {
    const leaseMs = this.#checkReceive(channel, lease);
    if (channel.includes('!')) return this.#local.receive(channel, signal);
    const filed = await this.#takeOne(channel, signal);
    return leaseMs === undefined ? filed.read() : this.#lend(channel, filed, leaseMs);
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
      const filed = await this.#take(channel, max, signal);
      return filed.map((each) => (leaseMs === undefined ? each.read() : this.#lend(channel, each, leaseMs)));
    });
  }

  async newChannel(prefix?: string): Promise<string> {
    return this.#local.newChannel(prefix);
  }

  async groupAdd(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    this.#refuseWhenClosed();
    const members = this.#groups.get(group) ?? new Map<string, number>();
    members.set(channel, this.#now());
    this.#groups.set(group, members);
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    this.#refuseWhenClosed();
    const members = this.#groups.get(group);
    members?.delete(channel);
    if (members?.size === 0) this.#groups.delete(group);
  }

  async groupSend<M extends Message>(group: string, message: M): Promise<void> {
    checkGroupName(group);
    const bytes = encode(checkMessage(message));
    this.#refuseWhenClosed();
    for (const [key, channels] of this.#membersByKey(group)) {
      if (this.#hasRoom(key, channels)) this.#file(key, channels, bytes);
    }
  }

  async flush(): Promise<void> {
    this.#refuseWhenClosed();
    for (const [key, box] of this.#boxes) {
      box.clear();
      this.#forgetIfUnused(key, box);
    }
    this.#loans.clear();
    this.#groups.clear();
    this.#local.clear();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const box of this.#boxes.values()) box.fail(new LayerClosedError());
    this.#boxes.clear();
    this.#loans.clear();
    this.#groups.clear();
    await this.#local.close();
  }

  get #openLoans(): Loans<Filed> {
    this.#refuseWhenClosed();
    return this.#loans;
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new LayerClosedError();
  }

  /** The capacity of a process's key is that of the channel that the message is for, or the first of them. */
  #hasRoom(key: string, [first = key]: readonly string[]): boolean {
    const box = this.#boxes.get(key);
    if (box === undefined) return true;
    this.#dropExpired(key, box);
    return box.length < this.#capacity(first);
  }

  #sendOne(channel: string, message: unknown): SendOutcome {
    const key = messageKey(channel);
    try {
      const bytes = encode(checkMessage(message));
      if (!this.#hasRoom(key, [channel]))
        return { accepted: false, error: new ChannelFull(channel, this.#capacity(channel)) };
      this.#file(key, [channel], bytes);
      return accepted;
    } catch (error) {
      if (error instanceof InvalidMessageError) return { accepted: false, error };
      throw error;
    }
  }

  #file(key: string, channels: readonly string[], bytes: Uint8Array): void {
    const read = () => decode(bytes) as Received;
    const expiresAt = this.#now() + this.#expiryMs(key);
    this.#box(key).put({ channels, read, expiresAt, number: this.#filed++, deliveries: 0 });
    this.#sweepWhenDue();
  }

  /** Returns the length of the lease; undefined without one. */
  #checkReceive(channel: string, lease: unknown): number | undefined {
    checkChannelName(channel);
    this.#refuseWhenClosed();
    if (lease === undefined) return undefined;
    checkLeasable(channel);
    return checkLeaseMs('lease', lease);
  }

  /** Takes the first message under a key and what else lies there, waiting for the first; at most `max`. */
  async #take(key: string, max: number, signal: AbortSignal | undefined): Promise<Filed[]> {
    const taken = [await this.#takeOne(key, signal)];
    const box = this.#boxes.get(key);
    if (box === undefined) return taken;
    for (;;) {
      this.#dropExpired(key, box);
      const filed = taken.length < max ? box.shift() : undefined;
      if (filed === undefined) break;
      taken.push(filed);
    }
    this.#forgetIfUnused(key, box);
    return taken;
  }

  async #takeOne(key: string, signal: AbortSignal | undefined): Promise<Filed> {
    this.#loans.collect(key);
    const box = this.#box(key);
    this.#dropExpired(key, box);
    try {
      return await box.take(signal);
    } finally {
      this.#forgetIfUnused(key, box);
    }
  }

  #lend(channel: string, item: Filed, leaseMs: number): Leased {
    const deliveries = item.deliveries + 1;
    const loan = { key: channel, item: { ...item, deliveries }, endsAt: this.#now() + leaseMs };
    this.#loans.add(loan);
    return new LeasedMessage(this.#keeper, loan, { channel, message: item.read(), deliveries });
  }

  #release(loan: Loan<Filed>, untried: boolean): boolean {
    if (!this.#openLoans.end(loan)) return false;
    const { key, item } = loan;
    const deliveries = untried ? item.deliveries - 1 : item.deliveries;
    this.#takeBack([{ key, item: { ...item, deliveries }, endsAt: this.#now() }]);
    return true;
  }

  /** Puts what was not acknowledged back to where it was, or among the dead letters. */
  #takeBack(loans: ReadonlyArray<Loan<Filed>>): void {
    for (const { key, item, endsAt } of loans) {
      if (item.deliveries >= this.#maxDeliveries && !isDeadLetterChannel(key)) this.#bury(key, item);
      else {
        const filed = { ...item, expiresAt: endsAt + this.#expiryMs(key) };
        this.#box(key).putBefore(filed, (kept) => kept.number > filed.number);
      }
    }
  }

  #bury(channel: string, { read, deliveries }: Filed): void {
    const key = deadLetterChannel(channel);
    if (!this.#hasRoom(key, [key])) {
      this.#box(key).shift();
      this.#onDrop?.({ channel: key, reason: 'overflow' });
    }
    this.#file(key, [key], encode(deadLetter(channel, read(), deliveries)));
    this.#onDrop?.({ channel, reason: 'dead' });
  }

  #box(key: string): WaitingQueue<Filed> {
    let box = this.#boxes.get(key);
    if (box === undefined) {
      box = new WaitingQueue();
      this.#boxes.set(key, box);
    }
    return box;
  }

  #dropExpired(key: string, box: WaitingQueue<Filed>): void {
    for (let filed = box.peek(); filed && filed.expiresAt <= this.#now(); filed = box.peek()) {
      box.shift();
      this.#onDrop?.({ channel: key, reason: 'expired' });
    }
  }

  /** Once an expiry, whatever lies where nobody sends or receives is looked through, so that it cannot pile up. */
  #sweepWhenDue(): void {
    if (this.#now() < this.#nextSweepAt) return;
    this.#nextSweepAt = this.#now() + this.#sweepEveryMs;
    for (const [key, box] of this.#boxes) {
      this.#dropExpired(key, box);
      this.#forgetIfUnused(key, box);
    }
    for (const group of this.#groups.keys()) this.#endMemberships(group);
  }

  #forgetIfUnused(key: string, box: WaitingQueue<Filed>): void {
    if (box.length > 0 || box.waiting > 0 || this.#boxes.get(key) !== box) return;
    this.#boxes.delete(key);
  }

  #membersByKey(group: string): Map<string, string[]> {
    this.#endMemberships(group);
    const byKey = new Map<string, string[]>();
    for (const channel of this.#groups.get(group)?.keys() ?? []) {
      const key = messageKey(channel);
      const channels = byKey.get(key);
      if (channels === undefined) byKey.set(key, [channel]);
      else channels.push(channel);
    }
    return byKey;
  }

  #endMemberships(group: string): void {
    const members = this.#groups.get(group);
    if (members === undefined) return;
    for (const [channel, addedAt] of members) {
      if (addedAt + this.#groupExpiryMs <= this.#now()) members.delete(channel);
    }
    if (members.size === 0) this.#groups.delete(group);
  }
}

/** A message as it lies under its key. */
interface Filed extends ProcessMessage {
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Counts up, so that what comes back finds its place. */
  readonly number: number;
  /** How many times it was handed out under a lease. */
  readonly deliveries: number;
}
