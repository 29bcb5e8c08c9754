// One of the servers of a layer, with the connections to it, and which of several something lies on.

import { randomBytes } from 'node:crypto';
import { dueAfterMs } from '../../listening.js';
import type { LayerRules } from '../base-layer.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { shardOf } from './hosts.js';
import type { Members } from './members.js';
import { Outbox } from './outbox.js';
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
  /** Milliseconds after which a wait for messages is begun anew. Default 10,000. */
  readonly blockMs?: number | undefined;
}

/** It bounds nothing but how late a dead connection is noticed. */
const defaultBlockMs = 10_000;
/** How long after that the reply may be late. Then the connection is dead: noticed within 15 seconds. */
const longestDelayMs = 5000;

export class Host {
  /** For everything but reads. */
  readonly commands: Connection;
  readonly reads: HostReads;
  /** For messages, which go through `commands`. */
  readonly outbox: Outbox;
  readonly blockMs: number;
  /** Milliseconds within which it is heard of while somebody waits. */
  readonly dueMs: number;

  constructor({ connection, prefix, now, blockMs = defaultBlockMs }: HostOptions) {
    const { timeoutMs } = connection;
    this.blockMs = blockMs;
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
    this.outbox = new Outbox(this.commands, now);
  }

  /** To be called when nobody waits any more. */
  async close(): Promise<void> {
    await this.reads.close();
    this.commands.close();
  }
}

/** Source: docs/wire.md section 7, W6 and W7. */
export class Ring {
  readonly hosts: readonly Host[];
  #turn = 0;

  constructor(hosts: readonly Host[]) {
    this.hosts = hosts;
  }

  /** The host of a group, or of a key for a process. */
  of(name: string): Host {
    return this.#at(shardOf(name, this.hosts.length));
  }

  /** The host whose turn it is to take a message for a general channel, leaving out those that are away. */
  next(): Host {
    const turn = this.#turn++;
    for (let i = 0; i < this.hosts.length; i++) {
      const host = this.#at(turn + i);
      if (!host.commands.isAway) return host;
    }
    return this.#at(turn);
  }

  #at(index: number): Host {
    const host = this.hosts[index % this.hosts.length];
    if (host === undefined) throw new RangeError('a layer has at least one host');
    return host;
  }
}
