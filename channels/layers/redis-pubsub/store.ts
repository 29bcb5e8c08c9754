// The channels on which one layer object listens, with their messages, and the groups that they are in.

import type { Received } from '../../application.js';
import { copyOf } from '../../codec/message-copy.js';
import { ChannelsError } from '../../errors.js';
import { WaitingQueue } from '../../waiting/waiting-queue.js';
import type { LayerRules } from '../base-layer.js';

/**
 * Knows who listens to what, and does nothing on Redis. A name is one on Redis: a channel's, or a group's.
 */
export class Audience {
  readonly #rules: Pick<LayerRules, 'capacity' | 'onDrop'>;
  readonly #channels = new Map<string, WaitingQueue<Received>>();
  readonly #groups = new Map<string, Set<string>>();

  /**
   * @param rules `capacity` bounds what a channel keeps while nobody receives on it; the oldest is dropped
   */
  constructor(rules: Pick<LayerRules, 'capacity' | 'onDrop'>) {
    this.#rules = rules;
  }

  /** The channels that it listens on, with their messages. */
  get channels(): ReadonlyMap<string, WaitingQueue<Received>> {
    return this.#channels;
  }

  /** The groups' names on Redis, with their members. */
  get groups(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#groups;
  }

  /** Whether messages on a name are for anybody. */
  needs(name: string): boolean {
    return this.#channels.has(name) || this.#groups.has(name);
  }

  /** The messages of a channel, on which it listens from now on. */
  queue(channel: string): WaitingQueue<Received> {
    const queue = this.#channels.get(channel) ?? new WaitingQueue();
    this.#channels.set(channel, queue);
    return queue;
  }

  /** Listens on a channel no more; it leaves its groups. Returns the names that it was listed under. */
  forget(channel: string): string[] {
    this.#channels.delete(channel);
    const groups = [...this.#groups].filter(([, members]) => members.has(channel)).map(([group]) => group);
    for (const group of groups) this.leave(group, channel);
    return [channel, ...groups];
  }

  /** Puts a channel into a group. Returns whether it was not in it. @throws ForeignMemberError */
  join(group: string, channel: string): boolean {
    if (!this.#channels.has(channel)) throw new ForeignMemberError(channel);
    const members = this.#groups.get(group) ?? new Set();
    const isNew = !members.has(channel);
    this.#groups.set(group, members.add(channel));
    return isNew;
  }

  leave(group: string, channel: string): void {
    const members = this.#groups.get(group);
    members?.delete(channel);
    if (members?.size === 0) this.#groups.delete(group);
  }

  /** Hands a message to the channel of the name and to the members of the group, to each as its own. */
  deliver(name: string, message: Received): void {
    const receivers = new Set(this.#groups.get(name));
    if (this.#channels.has(name)) receivers.add(name);
    for (const channel of receivers) {
      const queue = this.queue(channel);
      if (queue.waiting === 0 && queue.length >= this.#rules.capacity(channel)) {
        queue.shift();
        this.#rules.onDrop?.({ channel, reason: 'overflow' });
      }
      queue.put(receivers.size === 1 ? message : copyOf(message));
    }
  }

  /** Ends the waits on all channels with an error. */
  fail(error: unknown): void {
    for (const queue of this.#channels.values()) queue.fail(error);
  }

  /** Forgets messages, groups, and channels on which nobody waits. Returns the names it listened to. */
  clear(): string[] {
    const names = [...this.#channels.keys(), ...this.#groups.keys()];
    this.#groups.clear();
    for (const [channel, queue] of this.#channels) {
      queue.clear();
      if (queue.waiting === 0) this.#channels.delete(channel);
    }
    return names;
  }
}

/**
 * A channel that cannot join a group, since this layer object does not listen on it: a group's members are
 * known only to the process that has them, so nobody else can add one.
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
