// Takes messages without a lease from a channel or a process key, decodes them, and puts them back.

import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { LayerClosedError, LayerUnavailableError, UndecodableError } from '../../errors.js';
import { isDeadLetterChannel } from '../../leases.js';
import { type ProcessMessage, processMessage } from '../local-queues.js';
import { allDone } from '../outgoing.js';
import type { QueueSource, Taken } from './channel-queue.js';
import type { Client } from './connection/connection.js';
import type { Host, RedisStore } from './host.js';
import { InflightWatch } from './inflight.js';
import { type LeaseKeys, leaseKeys, readEntry } from './lease-scripts.js';
import { type Entry, entriesOf } from './waiting.js';

/** A message and its origin. */
export interface TakenMessage extends Entry {
  readonly host: Host;
  readonly message: ProcessMessage;
}

const retryAfterMs = 200;

export class MessageSource implements QueueSource<TakenMessage> {
  readonly blockedKeys: readonly string[];
  readonly #store: RedisStore;
  readonly #channel: string;
  readonly #keys: LeaseKeys;
  /** Milliseconds for which messages wait after a lease, and under a key without a TTL. */
  readonly #expiryMs: number;
  readonly #inflight = new Map<Host, InflightWatch>();

  constructor(store: RedisStore, channel: string) {
    this.#store = store;
    this.#channel = channel;
    this.#keys = leaseKeys(store.prefix, channel);
    this.#expiryMs = Math.ceil(store.expiryMsOf(channel));
    const { messages, again } = this.#keys;
    // Redelivered messages come before new ones.
    this.blockedKeys = this.#isGeneral ? [again, messages] : [messages];
    if (this.#isGeneral)
      for (const host of store.hosts)
        this.#inflight.set(host, new InflightWatch(host.commands, messages, this.#expiryMs));
  }

  async take(host: Host, client: Client, max: number): Promise<Taken<TakenMessage>> {
    this.#inflight.get(host)?.lookWhenDue();
    const { messages, again, lease, leased } = this.#keys;
    const keys = this.#isGeneral ? [messages, again, lease, leased] : [messages];
    const reply = await client.takeBuffer(keys.length, ...keys, max, this.#expiryMs);
    const [comeAgain, waiting, expired, nextMs, serverMs] = reply;
    this.#store.clock.learn(serverMs);
    for (let i = 0; i < expired; i++) this.#store.onDrop?.({ channel: this.#channel, reason: 'expired' });
    const entries = [...entriesOf(again, comeAgain), ...entriesOf(messages, waiting)];
    const isAnythingThere = entries.length > 0 || expired > 0;
    return {
      items: entries.flatMap((entry) => this.read(host, entry)),
      nextMs: isAnythingThere ? 0 : nextMs < 0 ? Number.POSITIVE_INFINITY : nextMs,
    };
  }

  /** Drops expired and undecodable messages. A redelivered message may have any age. */
  read(host: Host, entry: Entry): TakenMessage[] {
    const { now, onDrop } = this.#store;
    const channel = this.#channel;
    const isAgain = entry.key === this.#keys.again;
    if (!isAgain && entry.score * 1000 <= now() - this.#store.expiryMsOf(channel)) {
      onDrop?.({ channel, reason: 'expired' });
      return [];
    }
    const member = isAgain ? readEntry(entry.member).member : entry.member;
    const message = this.#readMember(member, isAgain || isDeadLetterChannel(channel));
    if (!(message instanceof UndecodableError)) return [{ ...entry, host, message }];
    onDrop?.({ channel, reason: 'undecodable', error: message });
    return [];
  }

  async putBack(items: readonly TakenMessage[]): Promise<TakenMessage[]> {
    const byHost = new Map<Host, Map<string, TakenMessage[]>>();
    for (const item of items) {
      const keys = byHost.get(item.host) ?? new Map<string, TakenMessage[]>();
      byHost.set(item.host, keys.set(item.key, [...(keys.get(item.key) ?? []), item]));
    }
    const works = [...byHost].flatMap(([host, keys]) =>
      Array.from(keys, ([key, some]) => this.#putBackUnder(host, key, some)),
    );
    return (await allDone(works)).flat();
  }

  get #isGeneral(): boolean {
    return !this.#channel.endsWith('!');
  }

  #readMember(member: Buffer, isAnyAge: boolean): ProcessMessage | UndecodableError {
    const read = this.#store.members.read(member, isAnyAge);
    if (read instanceof UndecodableError) return read;
    // A process key accepts messages for its own channels only. A message that names no channel is for the
    // key itself.
    const isOwn = (name: string) =>
      this.#isGeneral ? name === this.#channel : name.startsWith(this.#channel);
    const channels = (read.channels ?? [this.#channel]).filter(isOwn);
    if (channels.length === 0 && !this.#isGeneral)
      return new UndecodableError('the message names no channel of the process that it was sent to');
    return processMessage(channels, read.message);
  }

  /**
   * Tries until Redis answers. After a lost reply it is unknown whether the script ran. Redis notes what was
   * done, so that a repeated call changes nothing.
   */
  async #putBackUnder({ commands }: Host, key: string, items: TakenMessage[]): Promise<TakenMessage[]> {
    // Channel names contain no `:`, so this cannot be the key of a channel.
    const note = `${key}:returned:${randomBytes(8).toString('hex')}`;
    const pairs = items.flatMap(({ score, member }) => [score, member]);
    for (;;) {
      try {
        await commands.run((client) => client.putBack(2, key, note, this.#expiryMs, ...pairs));
        commands.run((client) => client.zrem(note, '')).catch(() => undefined);
        return [];
      } catch (error) {
        // After these answers nothing was done; another server may answer the next try.
        const reason = error instanceof LayerUnavailableError ? error.reason : undefined;
        if (reason === 'out-of-memory' || reason === 'refused' || reason === 'access-denied') return items;
        if (error instanceof LayerClosedError) return [];
        await pause(retryAfterMs);
      }
    }
  }
}
