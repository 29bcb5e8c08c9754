// What the X-ray sees of the layer on Redis: what is on all hosts. A process reports to one of them.

import { UndecodableError } from '../../errors.js';
import {
  aliveForMs,
  countsKeptMs,
  type Depth,
  eventsKeptMs,
  type LeftEvents,
  type Look,
  owesEvents,
  type ProcessIdentity,
  type ProcessRecord,
  type Report,
  type XraySource,
} from '../../xray/source.js';
import { addCounts, type Counts, countNames, noCounts } from '../../xray/tally.js';
import { formatId, type GroupMember, type GroupReport, type Peeked } from '../../xray.js';
import { type Entry, entriesOf } from './blocking-reads.js';
import type { Client } from './connection.js';
import type { Host } from './host.js';
import { leaseKeys } from './lease-keys.js';
import { entryHeaderBytes } from './lease-scripts.js';
import type { Members } from './members.js';
import { scanKeys } from './scan.js';

export interface RedisSourceOptions {
  readonly hosts: readonly Host[];
  readonly prefix: string;
  readonly members: Members;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly groupExpiryMs: number;
}

const mostProcesses = 1000;
/** How long a question stands: longer than anybody waits for answers. */
const questionMs = 15_000;
const keysPerScript = 200;

export class RedisSource implements XraySource {
  readonly isShared = true;
  readonly hasIds = true;
  readonly #options: RedisSourceOptions;
  /** Where this process reports: always to the same, so that a report which comes a second time is known there. */
  #board: Host | undefined;

  constructor(options: RedisSourceOptions) {
    this.#options = options;
  }

  async look(): Promise<Look> {
    const parts = await this.#onEach((host) => this.#lookAt(host));
    const depths = new Map<string, Depth>();
    const counts = new Map<string, Counts>();
    for (const part of parts) {
      for (const [key, depth] of part.depths) depths.set(key, addDepths(depths.get(key) ?? noDepth, depth));
      for (const [channel, counted] of part.counts)
        counts.set(channel, addCounts(counts.get(channel) ?? noCounts, counted));
    }
    return { depths, counts, processes: parts.flatMap(({ processes }) => processes) };
  }

  async peek(key: string, max: number, onLease: boolean): Promise<Peeked[]> {
    if (!onLease) {
      const waiting = await this.#onEach((host) => this.#waiting(host, key, max));
      return inOrder(waiting.flat()).slice(0, max);
    }
    const leased = await this.#onEach((host) => this.#leased(host, key, max));
    const byEnd = leased.flat().sort((a, b) => (a.leaseEndsAt ?? 0) - (b.leaseEndsAt ?? 0));
    return byEnd.slice(0, max);
  }

  async groups(group: string | undefined): Promise<GroupReport[]> {
    const reports = await this.#onEach((host) => this.#groupsOn(host, group));
    return reports.flat();
  }

  async publish(report: Report): Promise<boolean> {
    // Nothing is connected for this alone.
    this.#board ??= this.#options.hosts.find(({ commands }) => commands.isReady);
    const { commands } = this.#board ?? this.#anyHost;
    if (!commands.isReady) throw commands.unavailable(undefined);
    const { process, number, counts, receives, events, keepPieces, holdsEvents, isLast } = report;
    const keys = [
      this.#key('processes'),
      this.#key('process', process.id),
      this.#key('events', process.id),
      this.#key('question'),
      ...counts.map(([channel]) => this.#key('channel', channel)),
    ];
    const flags = [holdsEvents, isLast, events !== undefined].map(Number);
    const isAsked = await commands.run((client) =>
      client.xrayPublish(
        ...[keys.length, ...keys, process.id, number, JSON.stringify(process), JSON.stringify(receives)],
        ...[...flags, events === undefined ? '' : Buffer.from(events), keepPieces],
        ...[eventsKeptMs, countsKeptMs, mostProcesses],
        ...counts.flatMap(([, counted]) => countNames.map((name) => counted[name])),
      ),
    );
    return isAsked === 1;
  }

  async askForEvents(): Promise<() => Promise<readonly ProcessRecord[]>> {
    const key = this.#key('question');
    const asked = await this.#onEach(async (host) => {
      const askedAt = Number(await host.commands.run((client) => client.xrayAsk(1, key, questionMs)));
      return { host, askedAt };
    });
    return async () => {
      const owing = asked.map(async ({ host, askedAt }) =>
        (await this.#processesOn(host)).filter((record) => owesEvents(record, askedAt)),
      );
      return (await Promise.all(owing)).flat();
    };
  }

  async #processesOn({ commands }: Host): Promise<readonly ProcessRecord[]> {
    return commands.run(async (client) => {
      const [seconds] = await client.time();
      const ids = await client.zrange(this.#key('processes'), 0, '-1');
      const records = await Promise.all(ids.map((id) => client.hgetall(this.#key('process', id))));
      const now = Number(seconds) * 1000;
      return records.flatMap((record) => processRecord(record, now) ?? []);
    });
  }

  async leftEvents(): Promise<readonly LeftEvents[]> {
    const left = await this.#onEach(({ commands }) =>
      commands.run(async (client) => {
        const ids = await client.zrange(this.#key('processes'), 0, '-1');
        return Promise.all(ids.map((id) => this.#leftBy(client, id)));
      }),
    );
    return left.flat(2);
  }

  #onEach<T>(work: (host: Host) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#options.hosts.map(work));
  }

  get #anyHost(): Host {
    const [first] = this.#options.hosts;
    if (first === undefined) throw new RangeError('a layer has at least one host');
    return first;
  }

  #key(kind: string, name?: string): string {
    return `${this.#options.prefix}:xray:${kind}${name === undefined ? '' : `:${name}`}`;
  }

  async #leftBy(client: Client, id: string): Promise<LeftEvents[]> {
    const [identity, pieces] = await Promise.all([
      client.hget(this.#key('process', id), 'identity'),
      client.lrangeBuffer(this.#key('events', id), 0, -1),
    ]);
    return identity === null ? [] : [{ process: JSON.parse(identity), pieces }];
  }

  async #lookAt(host: Host): Promise<Look> {
    const { commands } = host;
    const { prefix } = this.#options;
    const depths = new Map<string, Depth>();
    const counts = new Map<string, Counts>();
    for await (const keys of scanKeys(commands, prefix)) {
      const names = keys.map((key) => key.slice(prefix.length));
      const counted = names.flatMap((name) => countedChannel.exec(name)?.[1] ?? []);
      const found = await commands.run((client) =>
        Promise.all(counted.map((channel) => client.hgetall(this.#key('channel', channel)))),
      );
      for (const [i, channel] of counted.entries()) counts.set(channel, readCounts(found[i] ?? {}));
      const queues = names.flatMap((name) => queueOf(name) ?? []);
      for (let i = 0; i < queues.length; i += keysPerScript)
        await this.#measure(commands.run.bind(commands), queues.slice(i, i + keysPerScript), depths);
    }
    return { depths, counts, processes: await this.#processesOn(host) };
  }

  async #measure(
    run: Host['commands']['run'],
    queues: readonly Queue[],
    depths: Map<string, Depth>,
  ): Promise<void> {
    const keys = queues.map(({ name }) => this.#options.prefix + name);
    const found = await run((client) => client.xrayDepths(keys.length, ...keys));
    for (const [i, { channel, isLease }] of queues.entries()) {
      const [length, lowest] = found[i] ?? [];
      if (length === undefined) continue;
      const depth = isLease
        ? { depth: 0, onLease: length }
        : {
            depth: length,
            onLease: 0,
            oldestAt: lowest === undefined ? undefined : Math.floor(Number(lowest) * 1000),
          };
      depths.set(channel, addDepths(depths.get(channel) ?? noDepth, depth));
    }
  }

  async #waiting({ commands }: Host, key: string, max: number): Promise<Peeked[]> {
    const { again, messages } = leaseKeys(this.#options.prefix, key);
    const [comeAgain, waiting] = await commands.run((client) =>
      Promise.all([
        client.zrangeBuffer(again, 0, String(max - 1), 'WITHSCORES'),
        client.zrangeBuffer(messages, 0, String(max - 1), 'WITHSCORES'),
      ]),
    );
    return [
      ...entriesOf(again, comeAgain).map(({ member }) => this.#peekedEntry(key, member)),
      ...entriesOf(messages, waiting).map((entry) => this.#peekedMember(key, entry)),
    ];
  }

  async #leased({ commands }: Host, key: string, max: number): Promise<Peeked[]> {
    const { lease, leased } = leaseKeys(this.#options.prefix, key);
    return commands.run(async (client) => {
      const ids = entriesOf(lease, await client.zrangeBuffer(lease, 0, String(max - 1), 'WITHSCORES'));
      if (ids.length === 0) return [];
      const entries = await client.hmgetBuffer(leased, ...ids.map(({ member }) => member));
      return ids.flatMap(({ score }, i) => {
        const entry = entries[i];
        return entry ? [{ ...this.#peekedEntry(key, entry), leaseEndsAt: score }] : [];
      });
    });
  }

  /** An entry that was handed out before: see lease-scripts.ts. */
  #peekedEntry(key: string, entry: Buffer): Peeked {
    const deliveries = entry.readUInt32BE(entryHeaderBytes - 4);
    const member = entry.subarray(entryHeaderBytes);
    return { ...this.#peekedMember(key, { member, score: entry.readDoubleBE(0) }), deliveries };
  }

  #peekedMember(key: string, { member, score }: Pick<Entry, 'member' | 'score'>): Peeked {
    const { members } = this.#options;
    const common = {
      id: formatId(members.high(member), members.low(member)),
      bytes: member.length,
      sentAt: Math.floor(score * 1000),
      deliveries: 0,
    };
    try {
      const { message, channels = [key] } = members.read(member, true);
      return { ...common, channels, message };
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      return { ...common, channels: [key], error };
    }
  }

  async #groupsOn({ commands }: Host, group: string | undefined): Promise<GroupReport[]> {
    const { prefix, now, groupExpiryMs } = this.#options;
    const begin = `${prefix}:group:`;
    const endedAt = (now() - groupExpiryMs) / 1000;
    const read = async (keys: readonly string[]) =>
      commands.run(async (client) => {
        const found = await Promise.all(
          keys.map((key) => client.zrangebyscoreBuffer(key, `(${endedAt}`, '+inf', 'WITHSCORES')),
        );
        return keys.map((key, i) => ({ group: key.slice(begin.length), members: membersOf(found[i] ?? []) }));
      });
    const reports: GroupReport[] = [];
    if (group === undefined)
      for await (const keys of scanKeys(commands, begin, 'zset')) reports.push(...(await read(keys)));
    else reports.push(...(await read([begin + group])));
    return reports.filter(({ members }) => members.length > 0);
  }
}

/** A sorted set of messages, or of leases, and the message key of its channel. */
interface Queue {
  /** Without the prefix. */
  readonly name: string;
  readonly channel: string;
  readonly isLease: boolean;
}

const countedChannel = /^:xray:channel:(.*)$/s;
const leasesOrAgain = /^:(lease|again):(.*)$/s;

/** Undefined for what is none. A `:` is in no channel's name, and `$inflight` is what Python receivers have in hand. */
function queueOf(name: string): Queue | undefined {
  const [, kind, leased] = leasesOrAgain.exec(name) ?? [];
  if (leased !== undefined) return { name, channel: leased, isLease: kind === 'lease' };
  return name.includes(':') || name.endsWith('$inflight')
    ? undefined
    : { name, channel: name, isLease: false };
}

const noDepth: Depth = { depth: 0, onLease: 0 };

function addDepths(one: Depth, other: Depth): Depth {
  const oldest = [one.oldestAt, other.oldestAt].filter((at) => at !== undefined);
  return {
    depth: one.depth + other.depth,
    onLease: one.onLease + other.onLease,
    oldestAt: oldest.length === 0 ? undefined : Math.min(...oldest),
  };
}

function readCounts(hash: Readonly<Record<string, string>>): Counts {
  const [sent = 0, received = 0, refused = 0, dropped = 0, redelivered = 0] = countNames.map((name) =>
    Number(hash[name] ?? 0),
  );
  return { sent, received, refused, dropped, redelivered };
}

function processRecord(hash: Readonly<Record<string, string>>, now: number): ProcessRecord | undefined {
  const { identity, receives, seenAt, isClosed, holds, leftAt } = hash;
  if (identity === undefined || receives === undefined) return undefined;
  return {
    ...(JSON.parse(identity) as ProcessIdentity),
    receives: JSON.parse(receives) as string[],
    seenAt: Number(seenAt),
    isAlive: isClosed === '0' && Number(seenAt) > now - aliveForMs,
    holdsEvents: holds === '1',
    leftAt: Number(leftAt),
  };
}

/** What comes again goes before what waits for the first time; of several hosts the oldest comes first. */
function inOrder(peeked: Peeked[]): Peeked[] {
  return peeked.sort(
    (a, b) => Number(b.deliveries > 0) - Number(a.deliveries > 0) || (a.sentAt ?? 0) - (b.sentAt ?? 0),
  );
}

function membersOf(reply: readonly Buffer[]): GroupMember[] {
  return entriesOf('', reply).map(({ member, score }) => ({
    channel: member.toString(),
    renewedAt: Math.floor(score * 1000),
  }));
}
