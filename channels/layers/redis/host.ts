// One of the servers of a layer: its connections, sending messages to it, and the choice of the host for a
// key.

import { randomBytes } from 'node:crypto';
import { dueAfterMs } from '../../serving/listening.js';
import type { LayerRules } from '../base-layer.js';
import { Connection, type ConnectionOptions } from './connection/connection.js';
import { shardOf } from './connection/hosts.js';
import type { ServerClock } from './connection/server-clock.js';
import type { Members } from './member.js';
import { HostReads } from './waiting.js';

/** What all parts of a Redis layer share. */
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
  /** Milliseconds after which a blocked read is started again. */
  readonly blockMs: number;
}

/** Members for one key, in order. */
export interface Parcel {
  readonly key: string;
  readonly members: readonly Buffer[];
  /** The most members under the key. */
  readonly capacity: number;
  readonly expiryMs: number;
}

/** The most members in one script, so that it does not block Redis for long. */
export const membersPerScript = 1000;

/** The reply may be this late. After that the connection is dead. */
const longestDelayMs = 5000;

export class Host {
  /** For everything except reads. */
  readonly commands: Connection;
  readonly reads: HostReads;
  /** Milliseconds within which it answers while somebody waits. */
  readonly dueMs: number;
  readonly #clock: ServerClock;
  /** The lowest score of the next message, in seconds; see the script. */
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

  /** Call it when nobody waits any more. */
  async close(): Promise<void> {
    await this.reads.close();
    this.commands.close();
  }

  /**
   * Sends parcels of at most `membersPerScript` members together. Resolves with the number of accepted
   * members of each; the rest is refused.
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

  /** The host of a group or of a process key. */
  of(name: string): H {
    return this.#at(shardOf(name, this.hosts.length));
  }

  /** The next host for a message of a general channel. Skips hosts that are away. */
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
