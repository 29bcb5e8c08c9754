// One of the servers of a layer: the connections to it, how messages go to it, and which of several something lies on.

import { randomBytes } from 'node:crypto';
import { dueAfterMs } from '../../listening.js';
import type { LayerRules } from '../base-layer.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { shardOf } from './hosts.js';
import type { Members } from './members.js';
import { HostReads } from './waiting.js';

/** What all parts of a layer on Redis work on. */
export interface RedisStore extends LayerRules {
  readonly hosts: readonly Host[];
  readonly prefix: string;
  readonly members: Members;
}

export interface HostOptions {
  readonly connection: Omit<ConnectionOptions, 'replyWithinMs'>;
  readonly prefix: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds after which a wait for messages is begun anew. */
  readonly blockMs: number;
}

/** Members for one key, in their order. */
export interface Parcel {
  readonly key: string;
  readonly members: readonly Buffer[];
  /** How many members may lie under the key. */
  readonly capacity: number;
  readonly expiryMs: number;
}

/** How many members one script carries, so that it does not keep Redis from others for long. */
export const membersPerScript = 1000;
const microsecondMs = 0.001;
/** As in the script: beyond a second the clock decides. */
const longestDriftMs = 1000;

/** How long after that the reply may be late. Then the connection is dead: noticed within 15 seconds. */
const longestDelayMs = 5000;

export class Host {
  /** For everything but reads. */
  readonly commands: Connection;
  readonly reads: HostReads;
  /** Milliseconds within which it is heard of while somebody waits. */
  readonly dueMs: number;
  readonly #now: () => number;
  /** The time of the next message at the earliest, in ms. */
  #next = 0;

  constructor({ connection, prefix, now, blockMs }: HostOptions) {
    const { timeoutMs } = connection;
    this.dueMs = dueAfterMs(blockMs, timeoutMs);
    this.commands = new Connection({ ...connection, replyWithinMs: timeoutMs });
    const reading = new Connection({
      ...connection,
      onChange: undefined,
      onReady: undefined,
      replyWithinMs: blockMs + Math.min(timeoutMs, longestDelayMs),
    });
    const wakeKey = `${prefix}:wake:${randomBytes(16).toString('hex')}`;
    this.reads = new HostReads({ reading, commands: this.commands, wakeKey, blockMs });
    this.#now = now;
  }

  /** To be called when nobody waits any more. */
  async close(): Promise<void> {
    await this.reads.close();
    this.commands.close();
  }

  /**
   * Sends parcels of at most `membersPerScript` members together. Resolves with how many of each were accepted: the
   * first so many.
   *
   * @throws LayerUnavailableError; the signal's reason, as long as nothing was written to the connection
   */
  async send(parcels: readonly Parcel[], signal?: AbortSignal): Promise<number[]> {
    const count = parcels.reduce((sum, { members }) => sum + members.length, 0);
    let now = 0;
    const reply = await this.commands.run((client) => {
      now = this.#timeFor(count);
      const args: Array<string | number | Buffer> = parcels.map(({ key }) => key);
      args.push(now / 1000);
      for (const { members, capacity, expiryMs } of parcels)
        args.push(members.length, capacity, (now - expiryMs) / 1000, Math.ceil(expiryMs), ...members);
      return client.deliver(parcels.length, ...args);
    }, signal);
    this.#next = Math.max(this.#next, now + (reply[parcels.length] ?? 0) * microsecondMs);
    return reply;
  }

  /**
   * The script counts up from the last message under a key; when that was taken just now, and comes back, it must not
   * find itself behind what was sent in the same millisecond, nor behind what followed when another sender's clock is
   * a little ahead. A clock that was set back by more counts again.
   */
  #timeFor(count: number): number {
    const now = this.#now();
    const isClose = this.#next > now && this.#next < now + longestDriftMs;
    const time = isClose ? this.#next : now;
    this.#next = time + count * microsecondMs;
    return time;
  }
}

/** Source: docs/wire.md section 7, W6 and W7. */
export class Ring<H extends { readonly commands: Connection }> {
  readonly hosts: readonly H[];
  #turn = 0;

  constructor(hosts: readonly H[]) {
    this.hosts = hosts;
  }

  /** The host of a group, or of a key for a process. */
  of(name: string): H {
    return this.#at(shardOf(name, this.hosts.length));
  }

  /** The host whose turn it is to take a message for a general channel, leaving out those that are away. */
  next(): H {
    const turn = this.#turn++;
    for (let i = 0; i < this.hosts.length; i++) {
      const host = this.#at(turn + i);
      if (!host.commands.isAway) return host;
    }
    return this.#at(turn);
  }

  #at(index: number): H {
    const host = this.hosts[index % this.hosts.length];
    if (host === undefined) throw new RangeError('a layer has at least one host');
    return host;
  }
}
