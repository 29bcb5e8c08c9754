// The messages and groups of the memory layer.

import type { Received } from '../../application.js';
import { channelsByKey } from '../../channel-name.js';
import { WaitingQueue } from '../../waiting/waiting-queue.js';
import type { LayerRules } from '../base-layer.js';

/** A stored message. */
export interface StoredMessage {
  /** The full names of its channels. */
  readonly channels: readonly string[];
  /** The layer's own copy. The last receiver gets this object. */
  readonly message: Received;
  /** Milliseconds since 1970. */
  readonly sentAt: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Its position: a message that is put back goes before those with higher numbers. */
  readonly number: number;
  /** The number of deliveries under a lease. */
  readonly deliveries: number;
}

export class MemoryStore {
  readonly #rules: LayerRules;
  /** By message key: a general channel's name, or a specific name up to the `!`. */
  readonly #queues = new Map<string, WaitingQueue<StoredMessage>>();
  /** When each member of a group was last added, in ms since 1970. */
  readonly #groups = new Map<string, Map<string, number>>();
  /** The number of messages ever put. */
  #count = 0;
  #nextSweepAt: number;

  constructor(rules: LayerRules) {
    this.#rules = rules;
    this.#nextSweepAt = rules.now() + rules.expiryMsOf('');
  }

  /** The keys that have messages or waiters. */
  keys(): string[] {
    return [...this.#queues.keys()];
  }

  /** Returns at most `max` messages of a key without removing them. */
  first(key: string, max = Number.POSITIVE_INFINITY): StoredMessage[] {
    return this.#queues.get(key)?.first(max) ?? [];
  }

  /** Whether a message fits. A process key has the capacity of the message's first channel. */
  hasRoom(key: string, channel = key): boolean {
    const queue = this.#queues.get(key);
    const capacity = this.#rules.capacity(channel);
    if (queue === undefined || queue.length < capacity) return true;
    this.#dropExpired(key, queue);
    return queue.length < capacity;
  }

  /** @param message becomes the store's own */
  put(key: string, channels: readonly string[], message: Received): void {
    const sentAt = this.#rules.now();
    const expiresAt = sentAt + this.#rules.expiryMsOf(key);
    this.#queue(key).put({ channels, message, sentAt, expiresAt, number: this.#count++, deliveries: 0 });
    this.#sweepWhenDue();
  }

  /** Puts a message back in its position. */
  putBack(key: string, stored: StoredMessage): void {
    this.#queue(key).putBefore(stored, (kept) => kept.number > stored.number);
  }

  /** Removes the chosen messages of a key and returns them. */
  remove(key: string, isChosen: (stored: StoredMessage) => boolean): StoredMessage[] {
    const queue = this.#queues.get(key);
    const all = queue?.first(queue.length) ?? [];
    queue?.clear();
    const removed: StoredMessage[] = [];
    for (const stored of all) {
      if (isChosen(stored)) removed.push(stored);
      else queue?.put(stored);
    }
    this.#forgetIfUnused(key);
    return removed;
  }

  /** Drops the oldest message of a full key. */
  dropOldestIfFull(key: string): void {
    if (this.hasRoom(key)) return;
    this.#queues.get(key)?.shift();
    this.#rules.onDrop?.({ channel: key, reason: 'overflow' });
  }

  /** Waits for at least one message of a key, and takes at most `max`. */
  async take(key: string, max: number, signal: AbortSignal | undefined): Promise<readonly StoredMessage[]> {
    const queue = this.#queue(key);
    this.#dropExpired(key, queue);
    try {
      return await queue.takeMany(max, signal);
    } finally {
      this.#forgetIfUnused(key);
    }
  }

  addMember(group: string, channel: string): void {
    const members = this.#groups.get(group) ?? new Map<string, number>();
    this.#groups.set(group, members.set(channel, this.#rules.now()));
  }

  removeMember(group: string, channel: string): void {
    const members = this.#groups.get(group);
    members?.delete(channel);
    if (members?.size === 0) this.#groups.delete(group);
  }

  /** The channels of a group, by message key. */
  membersByKey(group: string): Map<string, string[]> {
    this.#endMemberships(group);
    return channelsByKey(this.#groups.get(group)?.keys() ?? []);
  }

  /** When each member of each group was last added, in ms since 1970. */
  groups(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    for (const group of this.#groups.keys()) this.#endMemberships(group);
    return this.#groups;
  }

  /** Removes all messages and groups. Waiters go on waiting. */
  clear(): void {
    for (const [key, queue] of this.#queues) {
      queue.clear();
      this.#forgetIfUnused(key);
    }
    this.#groups.clear();
  }

  /** Ends all waits with an error. */
  fail(error: unknown): void {
    for (const queue of this.#queues.values()) queue.fail(error);
  }

  #queue(key: string): WaitingQueue<StoredMessage> {
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new WaitingQueue();
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #dropExpired(key: string, queue: WaitingQueue<StoredMessage>): void {
    if (queue.length === 0) return;
    const now = this.#rules.now();
    for (let stored = queue.peek(); stored && stored.expiresAt <= now; stored = queue.peek()) {
      queue.shift();
      this.#rules.onDrop?.({ channel: key, reason: 'expired' });
    }
  }

  /** Drops expired messages of unused channels, once in each expiry time, so that memory stays bounded. */
  #sweepWhenDue(): void {
    const now = this.#rules.now();
    if (now < this.#nextSweepAt) return;
    this.#nextSweepAt = now + this.#rules.expiryMsOf('');
    for (const [key, queue] of this.#queues) {
      this.#dropExpired(key, queue);
      this.#forgetIfUnused(key);
    }
    for (const group of this.#groups.keys()) this.#endMemberships(group);
  }

  #forgetIfUnused(key: string): void {
    const queue = this.#queues.get(key);
    if (queue?.length === 0 && queue.waiting === 0) this.#queues.delete(key);
  }

  #endMemberships(group: string): void {
    const { now, groupExpiryMs } = this.#rules;
    const members = this.#groups.get(group) ?? new Map<string, number>();
    for (const [channel, addedAt] of members) if (addedAt + groupExpiryMs <= now()) members.delete(channel);
    if (members.size === 0) this.#groups.delete(group);
  }
}
