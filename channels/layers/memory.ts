// The channel layer of a site that is one process: tests, development, a program without a server.

import type { Message, Received } from '../application.js';
import { ChannelFull, LayerClosedError } from '../errors.js';
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
import { decode, encode } from '../msgpack.js';
import { WaitingQueue } from '../waiting-queue.js';

/**
 * A channel layer in the memory of this process. Messages are kept as the bytes that would go over the wire, so
 * that each receiver gets a copy and what cannot be sent elsewhere cannot be sent here.
 *
 * Source: django/channels channels/layers.py, InMemoryChannelLayer.
 * @throws InvalidOptionError
 * @example const layer = new InMemoryChannelLayer({ capacity: 10 })
 */
export class InMemoryChannelLayer implements ChannelLayer {
  readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush']);
  readonly #capacity: (channel: string) => number;
  readonly #expiryMs: number;
  readonly #groupExpiryMs: number;
  readonly #now: () => number;
  readonly #onDrop: ((dropped: DroppedMessage) => void) | undefined;
  /** By message key: a general channel's name, or the part of a specific one up to the `!`. */
  readonly #boxes = new Map<string, WaitingQueue<Filed>>();
  /** When each member of a group was last added, in ms since 1970. */
  readonly #groups = new Map<string, Map<string, number>>();
  readonly #local: LocalQueues;
  #nextSweepAt: number;
  #closed = false;

  constructor(options: LayerOptions = {}) {
    this.#capacity = capacityOf(options);
    this.#expiryMs = secondsToMs('expiry', options.expiry ?? 60);
    this.#groupExpiryMs = secondsToMs('groupExpiry', options.groupExpiry ?? 86_400);
    this.#now = options.now ?? Date.now;
    this.#onDrop = options.onDrop;
    this.#nextSweepAt = this.#now() + this.#expiryMs;
    this.#local = new LocalQueues({
      capacity: this.#capacity,
      expiryMs: this.#expiryMs,
      now: this.#now,
      onDrop: this.#onDrop,
      take: async (key, signal) => [await this.#take(key, signal)],
    });
  }

  async send<M extends Message>(channel: string, message: M, options: WaitOptions = {}): Promise<void> {
    const key = messageKey(checkChannelName(channel));
    const bytes = encode(checkMessage(message));
    this.#refuseWhenClosed();
    options.signal?.throwIfAborted();
    if (!this.#hasRoom(key, [channel])) throw new ChannelFull(channel, this.#capacity(channel));
    this.#file(key, [channel], bytes);
  }

  async receive(channel: string, options: WaitOptions = {}): Promise<Received> {
    checkChannelName(channel);
    this.#refuseWhenClosed();
    if (channel.includes('!')) return this.#local.receive(channel, options.signal);
    return (await this.#take(channel, options.signal)).read();
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
    this.#groups.clear();
    this.#local.clear();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const box of this.#boxes.values()) box.fail(new LayerClosedError());
    this.#boxes.clear();
    this.#groups.clear();
    await this.#local.close();
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

  #file(key: string, channels: readonly string[], bytes: Uint8Array): void {
    const read = () => decode(bytes) as Received;
    this.#box(key).put({ channels, read, expiresAt: this.#now() + this.#expiryMs });
    this.#sweepWhenDue();
  }

  async #take(key: string, signal: AbortSignal | undefined): Promise<Filed> {
    const box = this.#box(key);
    this.#dropExpired(key, box);
    try {
      return await box.take(signal);
    } finally {
      this.#forgetIfUnused(key, box);
    }
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
    this.#nextSweepAt = this.#now() + this.#expiryMs;
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
}
