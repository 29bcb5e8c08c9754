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
  checkDeadLetterOptions,
  checkLeasable,
  checkLeaseMs,
  type DeadLetterOptions,
  type DeadLetterReport,
  deadLetter,
  deadLetterChannel,
  deadLetterReport,
  deadLetterSuffix,
  isDeadLetterChannel,
  type Leased,
  LeasedMessage,
  type LeaseKeeper,
} from '../leases.js';
import { LocalQueues, type ProcessMessage } from '../local-queues.js';
import { copyAsSent, copyOf } from '../message-copy.js';
import { patiently } from '../patience.js';
import {
  type GroupReport,
  type LayerStats,
  layerStats,
  type Peeked,
  type PeekOptions,
  peekAt,
} from '../stats.js';
import { WaitingQueue } from '../waiting-queue.js';
import type { Filed } from './memory/filed.js';
import { type Loan, Loans } from './memory/loans.js';
import { MemorySource } from './memory/source.js';

/**
 * A channel layer in the memory of this process. Messages are kept as a receiver elsewhere would get them, so
 * that each receiver gets a copy and what cannot be sent elsewhere cannot be sent here. A lease that is not over keeps
 * the process alive.
 *
 * Source: django/channels channels/layers.py, InMemoryChannelLayer.
 * @throws InvalidOptionError
 * @example const layer = new InMemoryChannelLayer({ capacity: 10 })
 */
export class InMemoryChannelLayer implements ChannelLayer {
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush', 'lease', 'stats']);
  readonly #capacity: (channel: string) => number;
  readonly #expiryMs: (channel: string) => number;
  readonly #groupExpiryMs: number;
  readonly #sweepEveryMs: number;
  readonly #maxDeliveries: number;
  readonly #now: () => number;
  readonly #onDrop: ((dropped: DroppedMessage) => void) | undefined;
  readonly #source: MemorySource;
  /** By message key: a general channel's name, or the part of a specific one up to the `!`. */
  readonly #boxes = new Map<string, WaitingQueue<Filed>>();
  /** When each member of a group was last added, in ms since 1970. */
  readonly #groups = new Map<string, Map<string, number>>();
  readonly #local: LocalQueues;
  readonly #loans: Loans<Filed>;
  readonly #keeper: LeaseKeeper<Loan<Filed>> = {
    ack: async (loan) => this.#acknowledge(loan),
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
      take: (key, wanted, signal) => this.#takeForProcess(key, wanted, signal),
    });
    this.#source = new MemorySource({
      boxes: this.#boxes,
      loans: this.#loans,
      groups: () => this.#liveGroups(),
    });
  }

  async send<M extends Message>(channel: string, message: M, { signal }: WaitOptions = {}): Promise<void> {
    const key = messageKey(checkChannelName(channel));
    const copy = copyAsSent(checkMessage(message));
    this.#refuseWhenClosed();
    signal?.throwIfAborted();
    if (!this.#hasRoom(key, channel)) throw new ChannelFull(channel, this.#capacity(channel));
    this.#file(key, [channel], copy);
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
    if (channel.includes('!')) return await this.#local.receive(channel, signal);
    const filed = this.#takeThere(channel, signal) ?? (await this.#takeOne(channel, signal));
    return this.#hand(channel, filed, leaseMs);
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
      return filed.map((each) => this.#hand(channel, each, leaseMs));
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
    const copy = copyAsSent(checkMessage(message));
    this.#refuseWhenClosed();
    for (const [key, channels] of this.#membersByKey(group)) {
      if (this.#hasRoom(key, channels[0])) this.#file(key, channels, copyOf(copy));
    }
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

  async deadLetters(channel?: string, options?: DeadLetterOptions): Promise<DeadLetterReport[]> {
    this.#refuseWhenClosed();
    if (channel !== undefined) checkLeasable(checkChannelName(channel));
    return this.#deadLetterReports(channel).slice(0, checkDeadLetterOptions(options));
  }

  async redrive(channel: string, ids?: readonly string[]): Promise<number> {
    this.#refuseWhenClosed();
    checkLeasable(checkChannelName(channel));
    return this.#redrive(channel, ids && new Set(ids));
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
  #hasRoom(key: string, first = key): boolean {
    const box = this.#boxes.get(key);
    if (box === undefined) return true;
    const capacity = this.#capacity(first);
    if (box.length < capacity) return true;
    this.#dropExpired(key, box);
    return box.length < capacity;
  }

  #sendOne(channel: string, message: unknown): SendOutcome {
    const key = messageKey(channel);
    try {
      const copy = copyAsSent(checkMessage(message));
      if (this.#hasRoom(key, channel)) {
        this.#file(key, [channel], copy);
        return accepted;
      }
      return { accepted: false, error: new ChannelFull(channel, this.#capacity(channel)) };
    } catch (error) {
      if (error instanceof InvalidMessageError) return { accepted: false, error };
      throw error;
    }
  }

  /** @param message becomes the layer's own */
  #file(key: string, channels: readonly string[], message: Received): void {
    const sentAt = this.#now();
    const expiresAt = sentAt + this.#expiryMs(key);
    const number = this.#filed++;
    this.#box(key).put({ channels, message, sentAt, expiresAt, number, deliveries: 0 });
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

  /** The first message under a key, without waiting for anything, since each wait costs as much as all the rest. */
  #takeThere(key: string, signal: AbortSignal | undefined): Filed | undefined {
    signal?.throwIfAborted();
    this.#loans.collect(key);
    const box = this.#boxes.get(key);
    if (box === undefined) return undefined;
    this.#dropExpired(key, box);
    const filed = box.shift();
    this.#forgetIfUnused(key, box);
    return filed;
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

  async #takeForProcess(key: string, max: number, signal: AbortSignal): Promise<readonly ProcessMessage[]> {
    const taken = await this.#take(key, max, signal);
    return taken.map(({ channels, message }) => ({ channels, read: () => copyOf(message) }));
  }

  #hand(channel: string, filed: Filed, leaseMs: number | undefined): Received | Leased {
    return leaseMs === undefined ? filed.message : this.#lend(channel, filed, leaseMs);
  }

  #lend(channel: string, item: Filed, leaseMs: number): Leased {
    const deliveries = item.deliveries + 1;
    const loan = { key: channel, item: { ...item, deliveries }, endsAt: this.#now() + leaseMs };
    this.#loans.add(loan);
    return new LeasedMessage(this.#keeper, loan, { channel, message: copyOf(item.message), deliveries });
  }

  #acknowledge(loan: Loan<Filed>): boolean {
    return this.#openLoans.end(loan);
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

  #bury(channel: string, filed: Filed): void {
    const { message, deliveries } = filed;
    const key = deadLetterChannel(channel);
    const box = this.#box(key);
    this.#dropExpired(key, box);
    if (box.length >= this.#capacity(key)) {
      box.shift();
      this.#onDrop?.({ channel: key, reason: 'overflow' });
    }
    this.#file(key, [key], copyAsSent(deadLetter(channel, message, deliveries)));
    this.#onDrop?.({ channel, reason: 'dead' });
  }

  #deadLetterReports(channel: string | undefined): DeadLetterReport[] {
    const keys = channel === undefined ? [...this.#boxes.keys()] : [deadLetterChannel(channel)];
    const reports = keys.filter(isDeadLetterChannel).flatMap((key) => {
      const box = this.#boxes.get(key);
      return box?.first(box.length).flatMap((filed) => reportOf(key, filed)) ?? [];
    });
    return reports.sort((a, b) => a.diedAt - b.diedAt);
  }

  #redrive(channel: string, ids: ReadonlySet<string> | undefined): number {
    const dead = deadLetterChannel(channel);
    const box = this.#boxes.get(dead);
    const letters = box?.first(box.length) ?? [];
    box?.clear();
    let count = 0;
    for (const filed of letters) {
      const [report] = reportOf(dead, filed);
      const isChosen = report !== undefined && (ids?.has(report.id) ?? true);
      if (!isChosen || !this.#hasRoom(channel)) box?.put(filed);
      else {
        this.#file(channel, [channel], report.message);
        count++;
      }
    }
    if (box !== undefined) this.#forgetIfUnused(dead, box);
    return count;
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
    const now = this.#now();
    if (now < this.#nextSweepAt) return;
    this.#nextSweepAt = now + this.#sweepEveryMs;
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

  #liveGroups(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    for (const group of this.#groups.keys()) this.#endMemberships(group);
    return this.#groups;
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

function reportOf(deadKey: string, { number, message, sentAt }: Filed): DeadLetterReport[] {
  const channel = deadKey.slice(0, -deadLetterSuffix.length);
  return deadLetterReport(channel, copyOf(message), { id: String(number), diedAt: sentAt });
}
