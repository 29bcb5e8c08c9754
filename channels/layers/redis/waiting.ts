// How a process waits on one host for messages of all its channels.
//
// One connection reads in a loop while somebody waits. A script drains each channel that may have messages.
// When all are empty, one BZPOPMIN waits on all their keys, and a message from any peer ends it. If more than
// one message is wanted, the script runs next on the same connection. When the channels change, this process
// ends the BZPOPMIN with an entry under a key of its own. That needs no extra right, unlike CLIENT UNBLOCK,
// and works even before the read has reached the server.

import { setTimeout as pause } from 'node:timers/promises';
import { LayerClosedError } from '../../errors.js';
import { allDone } from '../outgoing.js';
import type { Client, Connection } from './connection/connection.js';
import { isPermanent, isReplyError, isWrongType } from './connection/replies.js';

/** A member of a sorted set. */
export interface Entry {
  readonly key: string;
  readonly member: Buffer;
  /** When it was sent, in seconds since 1970 by the sender's clock. */
  readonly score: number;
}

/** A channel that has waiters. */
export interface Wanted {
  /** The keys of the blocked read; none for a channel that only a script reads. */
  readonly blockedKeys: readonly string[];
  /**
   * When a script must read again, in milliseconds of `performance.now`. Until then the channel is known to
   * be empty.
   */
  lookAt: number;
  /** How many entries to take; 0 without waiters. */
  count(): number;
  /**
   * Takes at most `max` entries and delivers them, together with the one that a blocked read popped before.
   * Delivered alone, that one could be put back out of order. Resolves with the milliseconds until the next
   * read: 0 if there were entries.
   */
  take(client: Client, max: number, popped?: Promise<Entry | undefined>): Promise<number>;
  /** Delivers the entry of a blocked read. */
  give(entry: Entry): void;
  fail(error: unknown): void;
}

export interface HostReadsOptions {
  /** The connection for reads, and the one for everything else. */
  readonly reading: Connection;
  readonly commands: Connection;
  /** The key that ends a blocked read. */
  readonly wakeKey: string;
  /** The longest blocked read. It bounds how late a dead connection is noticed. */
  readonly blockMs: number;
}

/** A running read. */
interface Read {
  readonly channels: ReadonlySet<Wanted>;
  readonly ended: Promise<unknown>;
  readonly isBlocked: boolean;
  isEnding: boolean;
}

const firstPauseMs = 50;
const longestPauseMs = 1000;
const wakeTtlMs = 60_000;
/** How long a read goes on without waiters, since somebody usually waits again soon. */
const lingerMs = 20;
/** The time limit for the end of a blocked read. A hung server does not end it. */
const endWithinMs = 1000;

export class HostReads {
  readonly #options: HostReadsOptions;
  readonly #wanted = new Set<Wanted>();
  #running: Promise<void> | undefined;
  #read: Read | undefined;
  #linger: NodeJS.Timeout | undefined;

  constructor(options: HostReadsOptions) {
    this.#options = options;
  }

  /**
   * When the server last accepted the connection or answered a read, in milliseconds of `performance.now`.
   */
  get heardAt(): number | undefined {
    return this.#options.reading.heardAt;
  }

  /** Reads the channel from now on, until its `count` is 0. */
  want(channel: Wanted): void {
    this.#wanted.add(channel);
    if (this.#running === undefined) this.#running = this.#run();
    else if (this.#read?.isBlocked && !this.#read.channels.has(channel)) void this.#end(this.#read);
  }

  /** Stops reading a channel. */
  leave(): void {
    this.#linger ??= setTimeout(() => {
      this.#linger = undefined;
      const read = this.#read;
      if (read?.isBlocked && [...read.channels].some((channel) => channel.count() === 0))
        void this.#end(read);
    }, lingerMs);
  }

  /** Resolves when no running read can take messages of the channel. */
  async settled(channel: Wanted): Promise<void> {
    const read = this.#read;
    if (read === undefined || !read.channels.has(channel) || this.#options.commands.isAway) return;
    if (read.isBlocked) void this.#end(read);
    await within(endWithinMs, read.ended);
  }

  /** Ends the read, cleanly if the server answers. Call it when nobody waits any more. */
  async close(): Promise<void> {
    clearTimeout(this.#linger);
    if (this.#read?.isBlocked) void this.#end(this.#read);
    const { commands, reading } = this.#options;
    if (this.#running !== undefined && !commands.isAway) await within(endWithinMs, this.#running);
    reading.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { reading } = this.#options;
    for (let failures = 0; this.#channels().length > 0; ) {
      try {
        await this.#readOnce(await reading.ready());
        failures = 0;
      } catch (error) {
        const reported = isReplyError(error) ? reading.unavailable(error) : error;
        if (reported instanceof LayerClosedError || isPermanent(reported))
          for (const channel of this.#channels()) channel.fail(reported);
        else await pause(Math.min(firstPauseMs * 2 ** failures++, longestPauseMs));
      }
      // Lets the receivers ask for their next messages.
      await new Promise<void>((resolve) => process.nextTick(resolve));
    }
    this.#running = undefined;
  }

  /** The channels with waiters; it forgets the others. */
  #channels(): Wanted[] {
    for (const channel of this.#wanted) if (channel.count() === 0) this.#wanted.delete(channel);
    return [...this.#wanted];
  }

  async #readOnce(client: Client): Promise<void> {
    const channels = this.#channels();
    const now = performance.now();
    const due = channels.filter((channel) => channel.lookAt <= now);
    if (due.length > 0) {
      const looks = allDone(due.map((channel) => this.#look(client, channel, channel.count())));
      const found = await this.#reading(due, looks, false);
      // Waiters that just got messages, and new waiters, are asked first.
      if (found.includes(true) || this.#channels().some((channel) => !channels.includes(channel))) return;
    }
    await this.#block(client);
  }

  /** Resolves with whether there were messages. An error with one key does not affect the other channels. */
  async #look(
    client: Client,
    channel: Wanted,
    max: number,
    popped?: Promise<Entry | undefined>,
  ): Promise<boolean> {
    const { reading, blockMs } = this.#options;
    try {
      const nextMs = await channel.take(client, max, popped);
      channel.lookAt = performance.now() + Math.min(nextMs, blockMs);
      return nextMs === 0;
    } catch (error) {
      const reported = isReplyError(error) ? reading.unavailable(error) : error;
      if (!isPermanent(reported)) throw error;
      channel.fail(reported);
      return false;
    }
  }

  async #block(client: Client): Promise<void> {
    const channels = this.#channels();
    if (channels.length === 0) return;
    const keys = channels.flatMap(({ blockedKeys }) => blockedKeys);
    const waitMs = Math.min(...channels.map(({ lookAt }) => lookAt)) - performance.now();
    const seconds = Math.ceil(Math.max(waitMs, 1)) / 1000;
    const popping = client.bzpopminBuffer(this.#options.wakeKey, ...keys, seconds).then((reply) => {
      const [key, member, score] = reply ?? [];
      return entriesOf(String(key), [member, score])[0];
    });
    const poppedFrom = async ({ blockedKeys }: Wanted) => {
      const entry = await popping;
      return entry !== undefined && blockedKeys.includes(entry.key) ? entry : undefined;
    };
    const work = channels.map(async (channel) => {
      const max = channel.blockedKeys.length > 0 ? channel.count() - 1 : 0;
      if (max > 0) return void (await this.#look(client, channel, max, poppedFrom(channel)));
      const entry = await poppedFrom(channel);
      if (entry !== undefined) channel.give(entry);
    });
    try {
      await this.#reading(channels, allDone<unknown>([popping, ...work]), true);
    } catch (error) {
      // Redis does not say which key is wrong. The scripts, one for each channel, will.
      if (!isWrongType(error)) throw error;
      for (const channel of channels) channel.lookAt = 0;
    }
  }

  async #reading<T>(channels: readonly Wanted[], reply: Promise<T>, isBlocked: boolean): Promise<T> {
    // The waiter for the reply gets the error.
    const ended = reply.then(
      () => undefined,
      () => undefined,
    );
    this.#read = { channels: new Set(channels), ended, isBlocked, isEnding: false };
    try {
      const found = await reply;
      this.#options.reading.noteHeard();
      return found;
    } finally {
      this.#read = undefined;
    }
  }

  /** Tries until the read has ended, since a flush may have removed the key. Never rejects. */
  async #end(read: Read): Promise<void> {
    if (read.isEnding) return;
    read.isEnding = true;
    const { commands, wakeKey } = this.#options;
    for (let pauseMs = firstPauseMs; this.#read === read; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      await commands.run((client) => client.wake(1, wakeKey, wakeTtlMs)).catch(() => undefined);
      await within(pauseMs, read.ended);
    }
  }
}

/** Decodes members and scores, which alternate. */
export function entriesOf(key: string, reply: ReadonlyArray<Buffer | undefined>): Entry[] {
  const entries: Entry[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const [member, score] = [reply[i], reply[i + 1]];
    // Redis writes a score in a short form or with an exponent; both read back to the same double.
    if (member !== undefined && score !== undefined)
      entries.push({ key, member, score: Number(score.toString()) });
  }
  return entries;
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const patience = new AbortController();
  await Promise.race([work, pause(ms, undefined, { signal: patience.signal }).catch(() => undefined)]);
  patience.abort();
}
