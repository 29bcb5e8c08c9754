// One of the servers of a layer: the connections to it, how messages go to it, and which of several something lies on.

import { randomBytes } from 'node:crypto';
import { dueAfterMs } from '../../serving/listening.js';
import type { LayerRules } from '../base-layer.js';
import { Connection, type ConnectionOptions } from './connection/connection.js';
import { shardOf } from './connection/hosts.js';
import type { ServerClock } from './connection/server-clock.js';
import type { Members } from './member.js';
import { HostReads } from './waiting.js';

/** What all parts of a layer on Redis work on. */
export interface RedisStore extends LayerRules {
  readonly hosts: readonly Host[];
  readonly prefix: string;
  readonly members: Members;
  readonly clock: ServerClock;
}

export interface HostOptions {
  readonly connection: Omit<ConnectionOptions, 'replyWithinMs'>;
  readonly prefix: string;
  readonly clock: ServerClock;
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

/** How long after that the reply may be late. Then the connection is dead: noticed within 15 seconds. */
const longestDelayMs = 5000;

export class Host {
  /** For everything but reads. */
  readonly commands: Connection;
  readonly reads: HostReads;
  /** Milliseconds within which it is heard of while somebody waits. */
  readonly dueMs: number;
  readonly #clock: ServerClock;
  /** The score of the next message at least, in seconds: see the script. */
  #next = 0;

  constructor({ connection, prefix, clock, blockMs }: HostOptions) {
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
    this.#clock = clock;
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
    const reply = await this.commands.run((client) => {
      const args: Array<string | number | Buffer> = parcels.map(({ key }) => key);
      args.push(this.#clock.argument, this.#next);
      for (const { members, capacity, expiryMs } of parcels)
        args.push(members.length, capacity, expiryMs, ...members);
      return client.deliver(parcels.length, ...args);
    }, signal);
    const numbers = reply.map(Number);
    this.#next = numbers.pop() ?? 0;
    return numbers;
  }
}

/** Source: docs/reference/wire.md section 7, W6 and W7. */
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
