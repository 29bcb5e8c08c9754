// Who takes messages on lease, on all hosts of a layer, and the dead letters there.

import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Received } from '../../application.js';
import { Bell } from '../../bell.js';
import { LayerClosedError, LayerUnavailableError, UndecodableError } from '../../errors.js';
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
import { type Listening, listeningTo, worstOf } from '../../listening.js';
import type { Host, RedisStore } from './host.js';
import { entryHeaderBytes, type LeaseKeys, leaseKeys } from './lease-scripts.js';
import { isPermanent } from './replies.js';
import { scanKeys } from './scan.js';
import { type Entry, entriesOf } from './waiting.js';

/** Names one handing-out of one message. */
interface Token {
  readonly host: Host;
  readonly keys: LeaseKeys;
  readonly id: Buffer;
}

/** What was handed out. */
interface LeasedEntry extends Token {
  readonly member: Buffer;
  readonly deliveries: number;
}

/** One who waits. */
interface Wait {
  readonly channel: string;
  /** In ms of this process's clock. */
  readonly since: number;
  readonly changed: Bell;
  /** Ends it. */
  readonly calledOff: AbortController;
  /** Whether the next change of the channel is told. */
  isArmed: boolean;
  isUnwatchable: boolean;
}

/** How many messages one script puts back. */
const lettersPerScript = 100;
/** Bounds what one script hands out. */
const entriesPerScript = 500;
/** Instead of the host's `blockMs`, as the net for notices that were lost, where the server does not tell of changes. */
const pollUnwatchedEveryMs = 250;
const firstPauseMs = 100;
const longestPauseMs = 2000;
const tokenBytes = 8;

export class RedisLeases implements Leases {
  readonly #store: RedisStore;
  readonly #waits = new Set<Wait>();
  /** In ms of this process's clock. */
  readonly #heardAt = new Map<Host, number>();
  #firstHost = 0;
  /** What is told to the hosts besides. */
  readonly #telling = new Set<Promise<unknown>>();
  readonly #keeper: LeaseKeeper<Token> = {
    ack: ({ host, keys, id }) => inTime(host, (client) => client.acknowledge(2, keys.lease, keys.leased, id)),
    extend: async ({ host, keys, id }, leaseMs) => {
      const expiryMs = this.#expiryMs(keys.channel);
      const isInTime = await inTime(host, (client) =>
        client.extend(2, keys.lease, keys.leased, id, leaseMs, expiryMs),
      );
      // It may be shorter than those who wait think.
      this.#wake(keys.channel);
      return isInTime;
    },
    release: ({ host, keys, id }, untried) => {
      const expiryMs = this.#expiryMs(keys.channel);
      return inTime(host, (client) =>
        client.release(3, keys.again, keys.lease, keys.leased, id, untried ? 1 : 0, expiryMs),
      );
    },
  };

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async receive(channel: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<Leased[]> {
    signal?.throwIfAborted();
    const { messages, again } = leaseKeys(this.#store.prefix, channel);
    const calledOff = new AbortController();
    const [since, changed] = [performance.now(), new Bell()];
    const wait: Wait = { channel, since, changed, calledOff, isArmed: false, isUnwatchable: false };
    const onAbort = () => calledOff.abort(signal?.reason);
    calledOff.signal.addEventListener('abort', () => changed.ring());
    signal?.addEventListener('abort', onAbort);
    const deaf = this.#store.hosts.map(({ watch }) => watch.listen([messages, again], () => wake(wait)));
    this.#waits.add(wait);
    try {
      return await this.#receive(wait, max, leaseMs);
    } finally {
      this.#waits.delete(wait);
      signal?.removeEventListener('abort', onAbort);
      for (const stop of deaf) stop();
    }
  }

  /** Takes what is there now. @throws LayerUnavailableError */
  async receiveNow(channel: string, max: number, leaseMs: number): Promise<Leased[]> {
    const found: LeasedEntry[] = [];
    for (const host of this.#store.hosts) {
      const { entries } = await this.#lease(host, channel, max - found.length, leaseMs);
      found.push(...entries);
      if (found.length >= max) break;
    }
    return this.#read(found);
  }

  /** See `ChannelLayer.deadLetters`. */
  async deadLetters(channel: string | undefined, max: number): Promise<DeadLetterReport[]> {
    const found = await Promise.all(
      this.#store.hosts.map(async (host) => {
        const channels = channel === undefined ? await this.#channelsOn(host) : [channel];
        return (await Promise.all(channels.map((each) => this.#readLetters(host, each)))).flat();
      }),
    );
    const reports = found.flat().map(({ report }) => report);
    return reports.sort((a, b) => a.diedAt - b.diedAt).slice(0, max);
  }

  /** See `ChannelLayer.redrive`. */
  async redrive(channel: string, ids: readonly string[] | undefined): Promise<number> {
    const wanted = ids && new Set(ids);
    let count = 0;
    for (const host of this.#store.hosts) {
      const letters = await this.#readLetters(host, channel);
      const chosen = letters.filter(({ report }) => wanted?.has(report.id) ?? true);
      for (let i = 0; i < chosen.length; i += lettersPerScript)
        count += await this.#redrive(host, channel, chosen.slice(i, i + lettersPerScript));
    }
    return count;
  }

  /** What is known of the host that was silent the longest; undefined while nobody waits. */
  listening(channel: string): Listening | undefined {
    const wait = [...this.#waits].find((each) => each.channel === channel);
    if (wait === undefined) return undefined;
    const { hosts } = this.#store;
    return worstOf(hosts.map((host) => listeningTo(wait.since, this.#heardAt.get(host), host.dueMs)));
  }

  /** Ends all waits with LayerClosedError; resolves when nothing is under way any more. Safe to call twice. */
  async close(): Promise<void> {
    for (const { calledOff } of this.#waits) calledOff.abort(new LayerClosedError());
    await Promise.all(this.#telling);
  }

  /** Looks at once, when a key has changed, and when the next lease is over. */
  async #receive(wait: Wait, max: number, leaseMs: number): Promise<Leased[]> {
    const { signal } = wait.calledOff;
    for (let failures = 0; ; ) {
      signal.throwIfAborted();
      try {
        const { entries, nextMs } = await this.#look(wait, max, leaseMs);
        failures = 0;
        const leased = this.#read(entries);
        if (leased.length > 0) return leased;
        if (entries.length > 0) continue;
        if (wait.isArmed || wait.isUnwatchable) await this.#wait(wait, nextMs);
        else await this.#arm(wait);
      } catch (error) {
        if (!(error instanceof LayerUnavailableError) || isPermanent(error)) throw error;
        const pauseMs = Math.min(firstPauseMs * 2 ** failures++, longestPauseMs);
        await pause(pauseMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Leases on the first host that has something. When the signal is aborted meanwhile, that goes back. */
  async #look(wait: Wait, max: number, leaseMs: number): Promise<Found> {
    const { hosts } = this.#store;
    const { signal } = wait.calledOff;
    const looking = (async (): Promise<Found> => {
      let nextMs = Number.POSITIVE_INFINITY;
      const from = this.#firstHost++;
      for (let i = 0; i < hosts.length; i++) {
        const host = hosts[(from + i) % hosts.length];
        if (host === undefined || signal.aborted) break;
        const found = await this.#lease(host, wait.channel, max, leaseMs);
        if (found.entries.length > 0) return found;
        nextMs = Math.min(nextMs, found.nextMs);
      }
      return { entries: [], nextMs };
    })();
    try {
      return await unlessAborted(looking, signal);
    } catch (error) {
      if (signal.aborted) this.#tell(looking.then(({ entries }) => this.#giveBack(entries)));
      throw error;
    }
  }

  async #giveBack(entries: readonly LeasedEntry[]): Promise<void> {
    await Promise.all(entries.map((entry) => this.#keeper.release(entry, true)));
  }

  async #lease(host: Host, channel: string, max: number, leaseMs: number): Promise<Found> {
    const { prefix, now, maxDeliveries, onDrop } = this.#store;
    const keys = leaseKeys(prefix, channel);
    const expiryMs = this.#expiryMs(channel);
    const token = randomBytes(tokenBytes);
    const [expired, nextMs, entries, dead] = await host.commands.run((client) =>
      client.leaseBuffer(
        ...[4, keys.messages, keys.again, keys.lease, keys.leased],
        ...[Math.min(max, entriesPerScript), leaseMs, token],
        ...[isDeadLetterChannel(channel) ? 0 : maxDeliveries, expiryMs, (now() - expiryMs) / 1000],
      ),
    );
    this.#heardAt.set(host, performance.now());
    for (let i = 0; i < expired; i++) onDrop?.({ channel, reason: 'expired' });
    const read = (entry: Buffer, index: number): LeasedEntry => ({
      ...{ host, keys, id: idOf(token, index) },
      deliveries: entry.readUInt32BE(entryHeaderBytes - 4),
      member: entry.subarray(entryHeaderBytes),
    });
    for (const [i, entry] of dead.entries()) this.#tell(this.#bury(read(entry, entries.length + i)));
    return { entries: entries.map(read), nextMs: nextMs < 0 ? Number.POSITIVE_INFINITY : nextMs };
  }

  async #arm(wait: Wait): Promise<void> {
    const { messages, again } = leaseKeys(this.#store.prefix, wait.channel);
    wait.isArmed = true;
    try {
      const armed = await Promise.all(this.#store.hosts.map(({ watch }) => watch.arm([messages, again])));
      wait.isUnwatchable = armed.includes(false);
    } catch (error) {
      wait.isArmed = false;
      if (!(error instanceof LayerUnavailableError) || !refusals.has(error.reason)) throw error;
      // A server that knows no tracking, or a user that may not ask for it.
      wait.isUnwatchable = true;
    }
  }

  async #wait(wait: Wait, nextMs: number): Promise<void> {
    // A change that was told before is looked for at once.
    if (!wait.isArmed && !wait.isUnwatchable) return;
    const pollMs = wait.isUnwatchable
      ? pollUnwatchedEveryMs
      : Math.min(...this.#store.hosts.map(({ blockMs }) => blockMs));
    // The server's milliseconds are whole ones, so that the end may be up to one later.
    const timer = setTimeout(() => wait.changed.ring(), Math.min(nextMs + 1, pollMs));
    if (!wait.calledOff.signal.aborted) await wait.changed.wait();
    clearTimeout(timer);
  }

  #wake(channel: string): void {
    for (const each of this.#waits) if (each.channel === channel) wake(each);
  }

  #read(entries: readonly LeasedEntry[]): Leased[] {
    return entries.flatMap((entry) => {
      const { keys, deliveries } = entry;
      const message = this.#readEntry(entry);
      return message === undefined
        ? []
        : [new LeasedMessage(this.#keeper, entry, { channel: keys.channel, message, deliveries })];
    });
  }

  /** The message; what is none is done with. */
  #readEntry(entry: LeasedEntry): Received | undefined {
    try {
      return this.#store.members.read(entry.member, true).message;
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.#store.onDrop?.({ channel: entry.keys.channel, reason: 'undecodable', error });
      this.#tell(this.#keeper.ack(entry));
      return undefined;
    }
  }

  async #bury(entry: LeasedEntry): Promise<void> {
    const { members, prefix, capacity, now, onDrop } = this.#store;
    const { host, keys, id, deliveries } = entry;
    const message = this.#readEntry(entry);
    if (message === undefined) return;
    const channel = deadLetterChannel(keys.channel);
    const letter = members.write({ ...deadLetter(keys.channel, message, deliveries) });
    const expiryMs = this.#expiryMs(channel);
    const removed = await host.commands.run((client) =>
      client.bury(
        ...[3, keys.lease, keys.leased, prefix + channel, id, letter],
        ...[capacity(channel), now() / 1000, (now() - expiryMs) / 1000, expiryMs],
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

  /** None for what is no dead letter. */
  #letter(channel: string, { member, score }: Entry): Letter[] {
    const id = createHash('sha256').update(member).digest('hex').slice(0, 16);
    try {
      const { message } = this.#store.members.read(member, true);
      const [report] = deadLetterReport(channel, message, { id, diedAt: Math.floor(score * 1000) });
      return report === undefined ? [] : [{ member, report }];
    } catch (error) {
      if (error instanceof UndecodableError) return [];
      throw error;
    }
  }

  #redrive({ commands }: Host, channel: string, letters: readonly Letter[]): Promise<number> {
    const { prefix, members, capacity, now } = this.#store;
    const at = now();
    const expiryMs = this.#expiryMs(channel);
    const pairs = letters.flatMap(({ member, report }) => [member, members.write(report.message)]);
    return commands.run((client) =>
      client.redrive(
        ...[2, prefix + deadLetterChannel(channel), prefix + channel],
        ...[capacity(channel), at / 1000, (at - expiryMs) / 1000, expiryMs, ...pairs],
      ),
    );
  }

  #expiryMs(channel: string): number {
    return Math.ceil(this.#store.expiryMsOf(channel));
  }

  /** What cannot be told is no loss: the message comes again when its lease is over. */
  #tell(telling: Promise<unknown>): void {
    const told = telling.catch(() => undefined).finally(() => this.#telling.delete(told));
    this.#telling.add(told);
  }
}

/** A dead letter as it lies on Redis, and as it is told of. */
interface Letter {
  readonly member: Buffer;
  readonly report: DeadLetterReport;
}

interface Found {
  readonly entries: readonly LeasedEntry[];
  /** Milliseconds until the next lease is over. */
  readonly nextMs: number;
}

const refusals: ReadonlySet<string> = new Set(['refused', 'access-denied']);

/** The work's outcome, or at once the signal's reason. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function wake(wait: Wait): void {
  wait.isArmed = false;
  wait.changed.ring();
}

async function inTime(host: Host, settle: Parameters<typeof host.commands.run<number>>[0]): Promise<boolean> {
  return (await host.commands.run(settle)) === 1;
}

function idOf(token: Buffer, index: number): Buffer {
  const id = Buffer.alloc(tokenBytes + 4);
  token.copy(id);
  id.writeUInt32BE(index + 1, tokenBytes);
  return id;
}
