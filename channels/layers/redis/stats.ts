// Reads the Redis layer on all hosts without taking messages.

import { UndecodableError } from '../../errors.js';
import type { GroupMember, GroupReport, KeyDepth, Peeked } from '../../stats.js';
import type { StoreView } from '../base-layer.js';
import type { Host, RedisStore } from './host.js';
import { leaseKeys, readEntry } from './lease-scripts.js';
import { scanKeys } from './scan.js';
import { type Entry, entriesOf } from './waiting.js';

const keysPerScript = 200;

export class RedisSource implements StoreView {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  /** The figures of all keys; a key occurs once for each host that has it. */
  async depths(): Promise<KeyDepth[]> {
    return (await this.#onEach((host) => this.#depthsOn(host))).flat();
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
    return reports.flat().sort((a, b) => (a.group < b.group ? -1 : 1));
  }

  #onEach<T>(work: (host: Host) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#store.hosts.map(work));
  }

  async #depthsOn({ commands }: Host): Promise<KeyDepth[]> {
    const { prefix } = this.#store;
    const depths: KeyDepth[] = [];
    for await (const keys of scanKeys(commands, prefix)) {
      const queues = keys.flatMap((key) => queueOf(key.slice(prefix.length)) ?? []);
      for (let i = 0; i < queues.length; i += keysPerScript)
        depths.push(...(await this.#measure(commands, queues.slice(i, i + keysPerScript))));
    }
    return depths;
  }

  async #measure(commands: Host['commands'], queues: readonly Queue[]): Promise<KeyDepth[]> {
    const keys = queues.map(({ name }) => this.#store.prefix + name);
    const [serverMs, ...found] = await commands.run((client) => client.measure(keys.length, ...keys));
    this.#store.clock.learn(serverMs);
    return queues.flatMap(({ channel: key, isLease }, i) => {
      const [length, lowest] = found[i] ?? [];
      if (length === undefined) return [];
      if (isLease) return [{ key, depth: 0, onLease: length }];
      const oldestAt = lowest === undefined ? undefined : Math.floor(Number(lowest) * 1000);
      return [{ key, depth: length, onLease: 0, oldestAt }];
    });
  }

  async #waiting({ commands }: Host, key: string, max: number): Promise<Peeked[]> {
    const { again, messages } = leaseKeys(this.#store.prefix, key);
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
    const { lease, leased } = leaseKeys(this.#store.prefix, key);
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

  /** An entry that was delivered before: see lease-scripts.ts. */
  #peekedEntry(key: string, entry: Buffer): Peeked {
    const { deliveries, ...where } = readEntry(entry);
    return { ...this.#peekedMember(key, where), deliveries };
  }

  #peekedMember(key: string, { member, score }: Pick<Entry, 'member' | 'score'>): Peeked {
    const common = { bytes: member.length, sentAt: Math.floor(score * 1000), deliveries: 0 };
    const read = this.#store.members.read(member, true);
    if (read instanceof UndecodableError) return { ...common, channels: [key], error: read };
    const { message, channels = [key] } = read;
    return { ...common, channels, message };
  }

  async #groupsOn({ commands }: Host, group: string | undefined): Promise<GroupReport[]> {
    const { prefix, now, groupExpiryMs } = this.#store;
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

/** A sorted set of messages or leases, and the message key of its channel. */
interface Queue {
  /** The key without the prefix. */
  readonly name: string;
  readonly channel: string;
  readonly isLease: boolean;
}

const leasesOrAgain = /^:(lease|again):(.*)$/s;

/** Undefined for other keys. Channel names contain no `:`; `$inflight` keys belong to Python receivers. */
function queueOf(name: string): Queue | undefined {
  const [, kind, leased] = leasesOrAgain.exec(name) ?? [];
  if (leased !== undefined) return { name, channel: leased, isLease: kind === 'lease' };
  return name.includes(':') || name.endsWith('$inflight')
    ? undefined
    : { name, channel: name, isLease: false };
}

/** Redelivered messages come first. Of several hosts the oldest message comes first. */
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
