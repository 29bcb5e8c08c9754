// What all layers share: options, checks of names and messages, and the way from a call to a batch.

import type { Message, Received } from '../application.js';
import { checkChannelName, checkGroupName } from '../channel-name.js';
import { ChannelFull, InvalidOptionError, LayerClosedError } from '../errors.js';
import {
  type ChannelLayer,
  capacityOf,
  checkMaxDeliveries,
  checkMessage,
  checkReceiveMany,
  type DroppedMessage,
  type Extension,
  expiryMsOf,
  type LayerOptions,
  type LeaseManyOptions,
  type LeaseOptions,
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
  type Leases,
} from '../leases.js';
import {
  type GroupReport,
  type KeyDepth,
  type LayerStats,
  layerStats,
  type Peeked,
  type PeekOptions,
  peekAt,
} from '../stats.js';
import { marked, sendInSpan } from '../tracing/messages.js';
import { isTracing, type TraceKeys } from '../tracing/peer.js';
import { waitAtMost } from '../waiting/wait-at-most.js';
import { chunks, reading, writeEach } from './outgoing.js';

/** The checked options of a layer. */
export interface LayerRules {
  readonly capacity: (channel: string) => number;
  /** Milliseconds until a message of a channel expires. */
  readonly expiryMsOf: (channel: string) => number;
  readonly groupExpiryMs: number;
  readonly maxDeliveries: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onDrop: ((dropped: DroppedMessage) => void) | undefined;
  readonly onSend: LayerOptions['onSend'];
}

/** Reads a store without taking messages. */
export interface StoreView {
  /** A key occurs once for each host that has it. */
  depths(): KeyDepth[] | Promise<KeyDepth[]>;
  peek(key: string, max: number, onLease: boolean): Peeked[] | Promise<Peeked[]>;
  /** Sorted by name. */
  groups(group: string | undefined): GroupReport[] | Promise<GroupReport[]>;
}

/** The most messages of one `sendMany` in one write, so that the store can serve others in between. */
const messagesPerPut = 500;

/**
 * The base of all layers; `B` is a message as the store holds it. It checks names and messages; subclasses
 * move messages.
 */
export abstract class BaseLayer<B> implements ChannelLayer {
  abstract readonly extensions: ReadonlySet<Extension>;
  protected readonly rules: LayerRules;
  /** Undefined for a layer without leases. */
  protected abstract readonly leases: Leases | undefined;
  protected abstract readonly view: StoreView;
  #closing: Promise<void> | undefined;

  constructor(options: LayerOptions) {
    this.rules = {
      capacity: capacityOf(options),
      expiryMsOf: expiryMsOf(options),
      groupExpiryMs: secondsToMs('groupExpiry', options.groupExpiry ?? 86_400),
      maxDeliveries: checkMaxDeliveries(options.maxDeliveries),
      now: options.now ?? Date.now,
      onDrop: options.onDrop,
      onSend: options.onSend,
    };
  }

  /** @throws InvalidMessageError */
  protected abstract write(message: Readonly<Record<string, unknown>>, channel: string): B;
  /**
   * Puts messages under a channel's key, in order. Returns for each part how many messages it accepted; it
   * refuses the rest.
   */
  protected abstract put(
    channel: string,
    parts: ReadonlyArray<readonly B[]>,
    signal?: AbortSignal,
  ): Promise<readonly number[]>;
  /** Encodes the message before the first `await`, so that later changes by the caller do not count. */
  protected abstract putToGroup(group: string, message: Readonly<Record<string, unknown>>): Promise<void>;
  /** Waits for at least one message of a channel, and takes at most `max`. */
  protected abstract receiveSome(channel: string, max: number, signal?: AbortSignal): Promise<Received[]>;
  /**
   * Takes the messages that a general channel has now. Layers without it wait a few turns of the event loop.
   */
  protected takeNow?(
    channel: string,
    max: number,
    leaseMs: number | undefined,
  ): Promise<Array<Received | Leased>>;
  protected abstract addMember(group: string, channel: string): Promise<void>;
  protected abstract removeMember(group: string, channel: string): Promise<void>;
  protected abstract clear(): Promise<void>;
  protected abstract end(): Promise<void>;

  send<M extends Message>(channel: string, message: M, { signal }: WaitOptions = {}): Promise<void> {
    if (!isTracing()) return this.#send(channel, message, signal);
    return sendInSpan(channel, 1, (keys) => this.#send(channel, message, signal, keys));
  }

  sendMany<M extends Message>(
    channel: string,
    messages: readonly M[],
    { signal }: WaitOptions = {},
  ): Promise<SendOutcome[]> {
    if (!isTracing()) return this.#sendMany(channel, messages, signal);
    return sendInSpan(channel, messages.length, (keys) => this.#sendMany(channel, messages, signal, keys));
  }

  async #send(channel: string, message: unknown, signal?: AbortSignal, keys?: TraceKeys): Promise<void> {
    this.#check(channel);
    const body = reading(() => this.write(marked(checkMessage(message), keys), channel));
    signal?.throwIfAborted();
    const [accepted] = await this.put(channel, [[body]], signal);
    this.rules.onSend?.(channel, accepted === 0 ? 0 : 1, accepted === 0 ? 1 : 0);
    if (accepted === 0) throw new ChannelFull(channel, this.rules.capacity(channel));
  }

  async #sendMany(
    channel: string,
    messages: readonly unknown[],
    signal?: AbortSignal,
    keys?: TraceKeys,
  ): Promise<SendOutcome[]> {
    this.#check(channel);
    signal?.throwIfAborted();
    const write = (message: Readonly<Record<string, unknown>>) => this.write(marked(message, keys), channel);
    const { outcomes, sendable } = writeEach(messages, write);
    const parts = chunks(sendable, messagesPerPut);
    const bodies = parts.map((part) => part.map(({ bytes }) => bytes));
    const counts = await this.put(channel, bodies, signal);
    for (const { index } of parts.flatMap((part, i) => part.slice(counts[i])))
      outcomes[index] = { accepted: false, error: new ChannelFull(channel, this.rules.capacity(channel)) };
    const accepted = counts.reduce((sum, count) => sum + count, 0);
    this.rules.onSend?.(channel, accepted, sendable.length - accepted);
    return outcomes;
  }

  receive(channel: string, options: LeaseOptions): Promise<Leased>;
  receive(channel: string, options?: WaitOptions): Promise<Received>;
  async receive(
    channel: string,
    { signal, lease }: WaitOptions & Partial<LeaseOptions> = {},
  ): Promise<Received | Leased> {
    const [received] = await this.#receive(channel, 1, this.#checkReceive(channel, lease), signal);
    if (received === undefined) throw new RangeError('unreachable: there is at least one');
    return received;
  }

  receiveMany(channel: string, options: LeaseManyOptions): Promise<Leased[]>;
  receiveMany(channel: string, options?: ReceiveManyOptions): Promise<Received[]>;
  async receiveMany(
    channel: string,
    { lease, ...options }: ReceiveManyOptions & Partial<LeaseOptions> = {},
  ): Promise<Array<Received | Leased>> {
    const { signal } = options;
    const leaseMs = this.#checkReceive(channel, lease);
    const { max, waitMs } = checkReceiveMany(options);
    if (waitMs === 0 && this.takeNow !== undefined && !channel.includes('!')) {
      signal?.throwIfAborted();
      return this.takeNow(channel, max, leaseMs);
    }
    return waitAtMost(waitMs, signal, (signal) => this.#receive(channel, max, leaseMs, signal));
  }

  abstract newChannel(prefix?: string): Promise<string>;

  async groupAdd(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    this.#check(channel);
    await this.addMember(group, channel);
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    this.#check(channel);
    await this.removeMember(group, channel);
  }

  async groupSend<M extends Message>(group: string, message: M): Promise<void> {
    checkGroupName(group);
    this.refuseWhenClosed();
    if (isTracing()) {
      await sendInSpan(group, 1, (keys) => this.putToGroup(group, marked(checkMessage(message), keys)));
    } else await this.putToGroup(group, checkMessage(message));
    this.rules.onSend?.(null, 1, 0);
  }

  async stats(): Promise<LayerStats> {
    this.refuseWhenClosed();
    return layerStats(await this.view.depths(), this.rules.capacity, this.rules.now());
  }

  async peek(channel: string, options: PeekOptions = {}): Promise<Peeked[]> {
    this.#check(channel);
    return peekAt(channel, options, async (key, max, onLease) => this.view.peek(key, max, onLease));
  }

  async groups(group?: string): Promise<GroupReport[]> {
    this.refuseWhenClosed();
    if (group !== undefined) checkGroupName(group);
    return this.view.groups(group);
  }

  async deadLetters(channel?: string, options?: DeadLetterOptions): Promise<DeadLetterReport[]> {
    this.refuseWhenClosed();
    if (channel !== undefined) checkLeasable(checkChannelName(channel));
    return this.#leases().deadLetters(channel, checkDeadLetterOptions(options));
  }

  async redrive(channel: string, ids?: readonly string[]): Promise<number> {
    this.#check(channel);
    checkLeasable(channel);
    return this.#leases().redrive(channel, ids);
  }

  async flush(): Promise<void> {
    this.refuseWhenClosed();
    await this.clear();
  }

  close(): Promise<void> {
    this.#closing ??= this.end();
    return this.#closing;
  }

  /** Reports members of a group that missed a message. */
  protected reportFull(keys: readonly string[]): void {
    for (const channel of keys) this.rules.onDrop?.({ channel, reason: 'overflow' });
  }

  protected refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new LayerClosedError();
  }

  /** @throws InvalidNameError */
  protected checkName(channel: string): void {
    checkChannelName(channel);
  }

  /** @throws InvalidNameError, LayerClosedError */
  #check(channel: string): void {
    this.checkName(channel);
    this.refuseWhenClosed();
  }

  /** @throws InvalidOptionError when the layer has no leases */
  #leases(): Leases {
    if (this.leases !== undefined) return this.leases;
    throw new InvalidOptionError('lease', 'omitted: this layer has no leases', 'a call that needs them');
  }

  /** Returns the length of the lease; undefined without a lease. */
  #checkReceive(channel: string, lease: unknown): number | undefined {
    this.#check(channel);
    if (lease === undefined) return undefined;
    this.#leases();
    checkLeasable(channel);
    return checkLeaseMs('lease', lease);
  }

  async #receive(
    channel: string,
    max: number,
    leaseMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Array<Received | Leased>> {
    if (leaseMs !== undefined) return this.#leases().receive(channel, max, leaseMs, signal);
    return this.receiveSome(channel, max, signal);
  }
}
