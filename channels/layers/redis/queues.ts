// The queues of all channels that a process receives on, and what is made of what lies there.

import { UndecodableError } from '../../errors.js';
import { isDeadLetterChannel } from '../../leases.js';
import type { Listening } from '../../listening.js';
import { type ProcessMessage, processMessage } from '../../local-queues.js';
import { ChannelQueue } from './channel-queue.js';
import type { RedisStore } from './host.js';
import { entryHeaderBytes, leaseKeys } from './lease-scripts.js';
import type { Members } from './members.js';
import type { Entry } from './waiting.js';

/** From so many queues on those are forgotten that nobody uses. */
const mostIdleQueues = 1000;

export class Queues {
  readonly #store: RedisStore;
  readonly #queues = new Map<string, ChannelQueue<ProcessMessage>>();

  constructor(store: RedisStore) {
    this.#store = store;
  }

  /** What is known of the hosts while somebody waits on the channel, or the process's key. */
  listening(channel: string): Listening | undefined {
    return this.#queues.get(channel)?.listening();
  }

  /** The queue of a general channel, or of a process's key. */
  of(channel: string): ChannelQueue<ProcessMessage> {
    const { hosts, prefix, expiryMsOf } = this.#store;
    const known = this.#queues.get(channel);
    if (known !== undefined) return known;
    if (this.#queues.size >= mostIdleQueues)
      for (const [key, queue] of this.#queues) if (!queue.isBusy) this.#queues.delete(key);
    const queue = new ChannelQueue({
      keys: channel.endsWith('!') ? { channel, messages: prefix + channel } : leaseKeys(prefix, channel),
      expiryMs: Math.ceil(expiryMsOf(channel)),
      hosts,
      accept: (entry) => this.#accept(entry),
      onExpired: (count) => this.#tellExpired(channel, count),
    });
    this.#queues.set(channel, queue);
    return queue;
  }

  /** Ends all waits with the error; resolves when what was taken is back, or cannot be put back. */
  async stop(error: Error, ended: Promise<unknown>): Promise<void> {
    const queues = [...this.#queues.values()];
    for (const queue of queues) queue.fail(error);
    await ended;
    await Promise.all(queues.map((queue) => queue.stop()));
  }

  #tellExpired(channel: string, count: number): void {
    for (let i = 0; i < count; i++) this.#store.onDrop?.({ channel, reason: 'expired' });
  }

  /** Judges what came from a key: too old or no message at all is dropped. What comes again is as old as it is. */
  #accept(entry: Entry): ProcessMessage | undefined {
    const { key, score } = entry;
    const { prefix, members, now, expiryMsOf } = this.#store;
    const again = `${prefix}:again:`;
    const isAgain = key.startsWith(again);
    const channel = key.slice(isAgain ? again.length : prefix.length);
    const member = isAgain ? entry.member.subarray(entryHeaderBytes) : entry.member;
    if (!isAgain && score * 1000 <= now() - expiryMsOf(channel)) {
      this.#store.onDrop?.({ channel, reason: 'expired' });
      return undefined;
    }
    const isAnyAge = isAgain || isDeadLetterChannel(channel);
    try {
      return delivery(members, member, channel, isAnyAge);
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.#store.onDrop?.({ channel, reason: 'undecodable', error });
      return undefined;
    }
  }
}

/** @throws UndecodableError */
function delivery(members: Members, member: Buffer, key: string, isAnyAge: boolean): ProcessMessage {
  const { message, channels: named } = members.read(member, isAnyAge);
  // A process key takes messages for its own channels only; one that names none is for the key itself.
  const isOwn = key.endsWith('!') ? (name: string) => name.startsWith(key) : (name: string) => name === key;
  const channels = (named ?? [key]).filter(isOwn);
  if (channels.length === 0 && key.includes('!'))
    throw new UndecodableError('the message names no channel of the process that it was sent to');
  return processMessage(channels, message);
}
