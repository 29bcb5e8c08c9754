// One of the servers of a layer, with the connections to it.

import { BlockingReads, blockMs } from './blocking-reads.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { KeyWatch } from './key-watch.js';
import { Outbox } from './outbox.js';
import { Presence } from './presence.js';
import { Settlements } from './settlements.js';
import { SharedReads } from './shared-reads.js';

export interface HostOptions {
  readonly connection: ConnectionOptions;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds after which a wait for messages is begun anew. Default 10,000. */
  readonly blockMs?: number | undefined;
}

/** A connection that no read has needed for so long is closed. */
const closeAfterMs = 30_000;
/** How many channels share a blocked read: each time that it ends, Redis notes for all of their keys that it begins anew. */
const channelsPerRead = 50;

/**
 * One connection for all commands, and one for each blocked read. A connection of its own for every channel on which
 * something comes is what keeps a busy one from holding up the others.
 */
export class Host {
  /** For everything but blocked reads. */
  readonly commands: Connection;
  /** For messages, which go through `commands`. */
  readonly outbox: Outbox;
  /** For leases, likewise. */
  readonly settlements: Settlements;
  readonly watch: KeyWatch;
  readonly presence: Presence;
  readonly blockMs: number;
  /** Milliseconds that commands wait for a reply. */
  readonly replyWithinMs: number;
  readonly #connection: ConnectionOptions;
  /** Since when each is idle, in ms of this process's clock; the one that was used last is at the end. */
  readonly #idle = new Map<BlockingReads, number>();
  /** Goes off when the first of them may have been idle for long enough. */
  #idleTimer: NodeJS.Timeout | undefined;
  readonly #lent = new Set<BlockingReads>();
  readonly #shared: SharedReads[] = [];
  #closed = false;

  constructor({ connection, now, ...options }: HostOptions) {
    this.#connection = connection;
    this.blockMs = options.blockMs ?? blockMs;
    this.replyWithinMs = connection.replyWithinMs;
    this.commands = new Connection({
      ...connection,
      onServer: (info) => {
        connection.onServer?.(info);
        this.watch.tellAll();
      },
    });
    this.watch = new KeyWatch(this.commands, connection);
    this.presence = new Presence(this.commands);
    this.settlements = new Settlements(this.commands);
    this.outbox = new Outbox({ commands: this.commands, now });
  }

  /** Lends a connection for blocked reads. */
  borrow(): BlockingReads {
    const [idle] = this.#idle.keys();
    const reads = idle ?? new BlockingReads(this.#connection, this.blockMs);
    this.#idle.delete(reads);
    this.#lent.add(reads);
    if (this.#closed) reads.close();
    return reads;
  }

  /** The reads for channels on which nothing comes. */
  shared(): SharedReads {
    const found = this.#shared.find(({ size }) => size < channelsPerRead);
    if (found !== undefined) return found;
    const shared = new SharedReads({
      commands: this.commands,
      borrow: () => this.borrow(),
      giveBack: (reads) => this.giveBack(reads),
    });
    this.#shared.push(shared);
    return shared;
  }

  giveBack(reads: BlockingReads): void {
    this.#lent.delete(reads);
    if (this.#closed) {
      reads.close();
      return;
    }
    this.#idle.set(reads, performance.now());
    // One timer for all: a receiver that takes one by one gives its connection back each time.
    if (this.#idleTimer === undefined) this.#closeIdleIn(closeAfterMs);
  }

  /** Ends the blocked reads, also those under way. Safe to call twice. */
  closeReads(): void {
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    for (const reads of [...this.#idle.keys(), ...this.#lent]) reads.close();
    this.#idle.clear();
  }

  /** Ends everything. Safe to call twice. */
  close(): void {
    this.closeReads();
    this.watch.close();
    this.commands.close();
  }

  #closeIdleIn(delayMs: number): void {
    this.#idleTimer = setTimeout(() => {
      this.#idleTimer = undefined;
      this.#closeIdle();
    }, delayMs).unref();
  }

  #closeIdle(): void {
    const now = performance.now();
    for (const [reads, since] of this.#idle) {
      const restMs = since + closeAfterMs - now;
      if (restMs > 0) {
        this.#closeIdleIn(Math.ceil(restMs));
        return;
      }
      this.#idle.delete(reads);
      reads.close();
    }
  }
}
