// The channels on which one layer object listens, with their messages, and the groups that they are in.

import type { Received } from '../../application.js';
import { ChannelsError } from '../../errors.js';
import type { DroppedMessage } from '../../layer.js';
import { copyOf } from '../../message-copy.js';
import type { KeyDepth } from '../../stats.js';
import { WaitingQueue } from '../../waiting-queue.js';

export interface AudienceOptions {
  /** How many messages a channel keeps while nobody receives on it; beyond it the oldest is dropped. */
  readonly capacity: (channel: string) => number;
  readonly onDrop?: ((dropped: DroppedMessage) => void) | undefined;
}

interface Listener {
  readonly queue: WaitingQueue<Received>;
  /** The groups' names on Redis. */
  readonly groups: Set<string>;
}

/** Knows who listens to what, and does nothing on Redis. A name is one on Redis: a channel's, or a group's. */
export class Audience {
  readonly #options: AudienceOptions;
  readonly #listeners = new Map<string, Listener>();
  readonly #groups = new Map<string, Set<string>>();

  constructor(options: AudienceOptions) {
    this.#options = options;
  }

  has(channel: string): boolean {
    return this.#listeners.has(channel);
  }

  /** Whether messages on a name are for anybody. */
  needs(name: string): boolean {
    return this.#listeners.has(name) || this.#groups.has(name);
  }

  depths(): KeyDepth[] {
    return Array.from(this.#listeners, ([key, { queue }]) => ({ key, depth: queue.length, onLease: 0 }));
  }

  /** The next messages of a channel, which stay. */
  first(channel: string, max: number): Received[] {
    return this.#listeners.get(channel)?.queue.first(max) ?? [];
  }

  /** The groups' names on Redis, with their members. */
  groups(): Array<readonly [group: string, members: readonly string[]]> {
    return Array.from(this.#groups, ([group, members]) => [group, [...members]]);
  }

  /** The messages of a channel, on which it listens from now on. */
  queue(channel: string): WaitingQueue<Received> {
    let listener = this.#listeners.get(channel);
    if (listener === undefined) {
      listener = { queue: new WaitingQueue(), groups: new Set() };
      this.#listeners.set(channel, listener);
    }
    return listener.queue;
  }

  /** Listens on a channel no more; it leaves its groups. Returns the names that it was listed under. */
  forget(channel: string): string[] {
    const groups = [...(this.#listeners.get(channel)?.groups ?? [])];
    for (const group of groups) this.leave(group, channel);
    this.#listeners.delete(channel);
    return [channel, ...groups];
  }

  /** Puts a channel that it listens on into a group. Returns whether it was not in it. */
  join(group: string, channel: string): boolean {
    const listener = this.#listeners.get(channel);
    if (listener === undefined || listener.groups.has(group)) return false;
    listener.groups.add(group);
    const members = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, members.add(channel));
    return true;
  }

  leave(group: string, channel: string): void {
    this.#listeners.get(channel)?.groups.delete(group);
    const members = this.#groups.get(group);
    members?.delete(channel);
    if (members?.size === 0) this.#groups.delete(group);
  }

  /** Hands a message to the channel of the name or to the members of the group, to each as its own. */
  deliver(name: string, read: () => Received): void {
    const listener = this.#listeners.get(name);
    const members = this.#groups.get(name);
    if (members === undefined) {
      if (listener !== undefined) this.#put(name, listener.queue, read());
      return;
    }
    const message = read();
    if (listener !== undefined && !members.has(name)) this.#put(name, listener.queue, copyOf(message));
    for (const channel of members) {
      const member = this.#listeners.get(channel);
      if (member !== undefined) this.#put(channel, member.queue, copyOf(message));
    }
  }

  /** Ends the waits on a channel, or on all, with an error. */
  fail(error: unknown, channel?: string): void {
    if (channel !== undefined) this.#listeners.get(channel)?.queue.fail(error);
    else for (const { queue } of this.#listeners.values()) queue.fail(error);
  }

  /** Forgets messages, groups, and channels on which nobody waits. Returns the names it listened to. */
  clear(): string[] {
    const names = [...this.#listeners.keys(), ...this.#groups.keys()];
    this.#groups.clear();
    for (const [channel, { queue, groups }] of this.#listeners) {
      queue.clear();
      groups.clear();
      if (queue.waiting === 0) this.#listeners.delete(channel);
    }
    return names;
  }

  #put(channel: string, queue: WaitingQueue<Received>, message: Received): void {
    if (queue.waiting === 0 && queue.length >= this.#options.capacity(channel)) {
      queue.shift();
      this.#options.onDrop?.({ channel, reason: 'overflow' });
    }
    queue.put(message);
  }
}

/**
 * A channel that cannot join a group, since this layer object does not listen on it: a group's members are known only
 * to the process that has them, so nobody else can add one.
 */
export class ForeignMemberError extends ChannelsError {
  readonly channel: string;

  constructor(channel: string) {
    super(
      'CHANNELS_ERR_FOREIGN_MEMBER',
      `channel ${JSON.stringify(channel)} cannot join a group: this layer object neither made it with newChannel() nor receives on it`,
    );
    this.channel = channel;
  }
}
