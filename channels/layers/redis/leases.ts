// The leases and dead letters of the Redis layer, on all its hosts.

import { createHash, randomBytes } from 'node:crypto';
import type { Received } from '../../application.js';
import { UndecodableError } from '../../errors.js';
import {
  type DeadLetterReport,
  deadLetter,
  deadLetterChannel,
  deadLetterReport,
  deadLetterSuffix,
  isDeadLetterChannel,
  type Leased,
  LeasedMessage,
  type LeaseKeeper,
  type Leases,
} from '../../leases.js';
import type { Listening } from '../../serving/listening.js';
import { allDone, chunks } from '../outgoing.js';
import { ChannelQueue, type QueueSource, Queues, type Taken } from './channel-queue.js';
import type { Client } from './connection/connection.js';
import type { Host, RedisStore } from './host.js';
import { type LeaseKeys, leaseKeys, readEntry } from './lease-scripts.js';
import { scanKeys } from './scan.js';
import { type Entry, entriesOf } from './waiting.js';

/** Identifies one delivery of one message. */
interface Token {
  readonly host: Host;
  readonly keys: LeaseKeys;
  readonly id: Buffer;
}

interface LeasedEntry extends Token {
  readonly message: Received;
  readonly deliveries: number;
}

/** The most messages that one script puts back. */
const lettersPerScript = 100;
const firstPollMs = 10;
const longestPollMs = 250;
const tokenBytes = 8;

export class RedisLeases implements Leases {
  readonly #store: RedisStore;
  readonly #queues: Queues<LeasedEntry>;
  readonly #keeper: LeaseKeeper<Token> = {
    ack: async ({ host, keys, id }) =>
      (await host.commands.run((client) => client.acknowledge(2, keys.lease, keys.leased, id))) === 1,
    extend: async ({ host, keys, id }, leaseMs) => {
      const args = [id, leaseMs, this.#expiryMs(keys.channel)];
      return (await host.commands.run((client) => client.extend(2, keys.lease, keys.leased, ...args))) === 1;
    },
    release: async ({ host, keys, id }, untried) => {
      const args = [keys.again, keys.lease, keys.leased, id, untried ? 1 : 0, this.#expiryMs(keys.channel)];
      return (await host.commands.run((client) => client.release(3, ...args))) === 1;
    },
  };

  constructor(store: RedisStore) {
    this.#store = store;
    this.#queues = new Queues(
      (channel, leaseMs) => new ChannelQueue(channel, store.hosts, this.#sourceOf(channel, leaseMs)),
    );
  }

  async receive(channel: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<Leased[]> {
    const entries = await this.#queues.of(channel, leaseMs).take(max, signal);
    return entries.map((entry) => this.#leased(entry));
  }

  /** Takes available messages without waiting. @throws LayerUnavailableError */
  async receiveNow(channel: string, max: number, leaseMs: number): Promise<Leased[]> {
    const entries = await this.#queues.of(channel, leaseMs).takeNow(max);
    return entries.map((entry) => this.#leased(entry));
  }

  /** See `ChannelLayer.deadLetters`. */
  async deadLetters(channel: string | undefined, max: number): Promise<DeadLetterReport[]> {
    const found = await allDone(
      this.#store.hosts.map(async (host) => {
        const channels = channel === undefined ? await this.#channelsOn(host) : [channel];
        return (await allDone(channels.map((each) => this.#readLetters(host, each)))).flat();
      }),
    );
    const reports = found.flat().map(({ report }) => report);
    return reports.sort((a, b) => a.diedAt - b.diedAt).slice(0, max);
  }

  /** See `ChannelLayer.redrive`. */
  async redrive(channel: string, ids: readonly string[] | undefined): Promise<number> {
    let count = 0;
    for (const host of this.#store.hosts) {
      const letters = await this.#readLetters(host, channel);
      const chosen = letters.filter(({ report }) => ids?.includes(report.id) ?? true);
      for (const part of chunks(chosen, lettersPerScript)) count += await this.#redrive(host, channel, part);
    }
    return count;
  }

  /** The host whose answer is the most overdue; undefined without waiters. */
  listening(channel: string): Listening | undefined {
    return this.#queues.listening(channel);
  }

  /** Ends all waits with the error. Resolves when undelivered messages are put back. */
  stop(error: Error, ended: Promise<unknown>): Promise<void> {
    return this.#queues.stop(error, ended);
  }

  /**
   * Only a script takes leased messages, since a receiver that dies during a blocked read would lose its
   * message. A script cannot wait, so it polls, at growing intervals while nothing comes.
   */
  #sourceOf(channel: string, leaseMs: number): QueueSource<LeasedEntry> {
    let pollMs = firstPollMs;
    return {
      blockedKeys: [],
      take: async (host, client, max) => {
        const taken = await this.#lease(host, client, channel, max, leaseMs);
        pollMs = taken.nextMs === 0 ? firstPollMs : Math.min(2 * pollMs, longestPollMs);
        // The server's milliseconds are whole, so the end may be 1 ms later.
        return { ...taken, nextMs: taken.nextMs === 0 ? 0 : Math.min(taken.nextMs + 1, pollMs) };
      },
      read: () => [],
      putBack: async (entries) => {
        // A message that cannot be put back is delivered again after its lease.
        await Promise.allSettled(entries.map((entry) => this.#keeper.release(entry, true)));
        return [];
      },
    };
  }

  async #lease(
    host: Host,
    client: Client,
    channel: string,
    max: number,
    leaseMs: number,
  ): Promise<Taken<LeasedEntry>> {
    const { prefix, clock, maxDeliveries, onDrop } = this.#store;
    const keys = leaseKeys(prefix, channel);
    const expiryMs = this.#expiryMs(channel);
    const token = randomBytes(tokenBytes);
    const [expired, nextMs, entries, dead] = await client.leaseBuffer(
      ...[4, keys.messages, keys.again, keys.lease, keys.leased],
      ...[max, leaseMs, token],
      ...[isDeadLetterChannel(channel) ? 0 : maxDeliveries, expiryMs, clock.argument],
    );
    for (let i = 0; i < expired; i++) onDrop?.({ channel, reason: 'expired' });
    const read = (entry: Buffer, i: number) => this.#read({ host, keys, id: idOf(token, i) }, entry);
    const items = entries.flatMap(read);
    // A message that cannot be buried is delivered again after its lease.
    const letters = dead.flatMap((entry, i) => read(entry, entries.length + i));
    await Promise.allSettled(letters.map((letter) => this.#bury(letter)));
    if (expired + entries.length + dead.length > 0) return { items, nextMs: 0 };
    return { items, nextMs: nextMs < 0 ? Number.POSITIVE_INFINITY : nextMs };
  }

  /** Returns none for an undecodable message, and acknowledges it. */
  #read(token: Token, entry: Buffer): LeasedEntry[] {
    const { members, onDrop } = this.#store;
    const { member, deliveries } = readEntry(entry);
    const read = members.read(member, true);
    if (!(read instanceof UndecodableError)) return [{ ...token, message: read.message, deliveries }];
    onDrop?.({ channel: token.keys.channel, reason: 'undecodable', error: read });
    this.#keeper.ack(token).catch(() => undefined);
    return [];
  }

  #leased(entry: LeasedEntry): Leased {
    const { keys, message, deliveries } = entry;
    return new LeasedMessage(this.#keeper, entry, { channel: keys.channel, message, deliveries });
  }

  async #bury({ host, keys, id, message, deliveries }: LeasedEntry): Promise<void> {
    const { members, prefix, capacity, clock, onDrop } = this.#store;
    const channel = deadLetterChannel(keys.channel);
    const letter = members.write({ ...deadLetter(keys.channel, message, deliveries) });
    const expiryMs = this.#expiryMs(channel);
    const removed = await host.commands.run((client) =>
      client.bury(
        ...[3, keys.lease, keys.leased, prefix + channel, id, letter],
        ...[capacity(channel), clock.argument, expiryMs],
      ),
    );
    if (removed < 0) return;
    for (let i = 0; i < removed; i++) onDrop?.({ channel, reason: 'overflow' });
    onDrop?.({ channel: keys.channel, reason: 'dead' });
  }

  async #channelsOn({ commands }: Host): Promise<string[]> {
    const { prefix } = this.#store;
    const channels: string[] = [];
    for await (const keys of scanKeys(commands, prefix, 'zset')) {
      const names = keys.map((key) => key.slice(prefix.length));
      for (const name of names)
        if (isDeadLetterChannel(name) && !name.includes(':'))
          channels.push(name.slice(0, -deadLetterSuffix.length));
    }
    return channels;
  }

  async #readLetters({ commands }: Host, channel: string): Promise<Letter[]> {
    const key = this.#store.prefix + deadLetterChannel(channel);
    const reply = await commands.run((client) => client.zrangeBuffer(key, 0, '-1', 'WITHSCORES'));
    return entriesOf(key, reply).flatMap((entry) => this.#letter(channel, entry));
  }

  /** Returns none for other messages. */
  #letter(channel: string, { member, score }: Entry): Letter[] {
    const id = createHash('sha256').update(member).digest('hex').slice(0, 16);
    const read = this.#store.members.read(member, true);
    if (read instanceof UndecodableError) return [];
    const reports = deadLetterReport(channel, read.message, { id, diedAt: Math.floor(score * 1000) });
    return reports.map((report) => ({ member, report }));
  }

  #redrive({ commands }: Host, channel: string, letters: readonly Letter[]): Promise<number> {
    const { prefix, members, capacity, clock } = this.#store;
    const expiryMs = this.#expiryMs(channel);
    const pairs = letters.flatMap(({ member, report }) => [member, members.write(report.message)]);
    return commands.run((client) =>
      client.redrive(
        ...[2, prefix + deadLetterChannel(channel), prefix + channel],
        ...[capacity(channel), clock.argument, expiryMs, ...pairs],
      ),
    );
  }

  #expiryMs(channel: string): number {
    return Math.ceil(this.#store.expiryMsOf(channel));
  }
}

/** A dead letter as it is on Redis, and its report. */
interface Letter {
  readonly member: Buffer;
  readonly report: DeadLetterReport;
}

function idOf(token: Buffer, index: number): Buffer {
  const id = Buffer.alloc(tokenBytes + 4);
  token.copy(id);
  id.writeUInt32BE(index + 1, tokenBytes);
  return id;
}
