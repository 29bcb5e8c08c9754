// How a process waits on one host for messages of all the channels that it receives on.
//
// One connection reads, in a loop for as long as somebody waits. A script drains each channel that may have something.
// When all are empty, one BZPOPMIN waits on all their keys together; a message from any peer ends that wait. Where more
// than one message is wanted, the script follows on the same connection, and runs when the wait is over. So ends it an
// entry under a key of our own, which we add when the channels have changed. It needs no right of its own, unlike
// CLIENT UNBLOCK, and it works although the read has not reached the server yet.

import { setTimeout as pause } from 'node:timers/promises';
import { LayerClosedError } from '../../errors.js';
import { allDone } from '../outgoing.js';
import type { Client, Connection } from './connection/connection.js';
import { isPermanent, isReplyError, isWrongType } from './connection/replies.js';

/** A member as it lay in its sorted set. */
export interface Entry {
  readonly key: string;
  readonly member: Buffer;
  /** The sender's time of sending, in seconds since 1970. */
  readonly score: number;
}

/** A channel on which somebody waits. */
export interface Wanted {
  /** What a blocked read takes from; none for a channel from which only a script takes. */
  readonly blockedKeys: readonly string[];
  /** When a script has to look again, in ms of this process's clock. Until then the channel is known to be empty. */
  lookAt: number;
  /** How many entries to take; 0 when nobody waits. */
  count(): number;
  /**
   * Takes at most `max` entries and hands them over, together with the one that a blocked read has popped just before:
   * handed over by itself it could be put back alone, behind them. Resolves with ms until the next look is due: 0 when
   * there were some.
   */
  take(client: Client, max: number, popped?: Promise<Entry | undefined>): Promise<number>;
  /** Hands over what a blocked read brought. */
  give(entry: Entry): void;
  fail(error: unknown): void;
}

export interface HostReadsOptions {
  /** The connection that reads, and the one for everything else. */
  readonly reading: Connection;
  readonly commands: Connection;
  /** The key of our own. */
  readonly wakeKey: string;
  /** How long Redis keeps a read waiting at most. It bounds how late a dead connection is noticed. */
  readonly blockMs: number;
}

/** A read under way. */
interface Read {
  readonly channels: ReadonlySet<Wanted>;
  readonly ended: Promise<unknown>;
  readonly isBlocked: boolean;
  isEnding: boolean;
}

const firstPauseMs = 50;
const longestPauseMs = 1000;
const wakeTtlMs = 60_000;
/** How long a read goes on for channels that nobody waits on any more, since mostly somebody soon waits again. */
const lingerMs = 20;
/** How long is waited for the end of a blocked read. A server that hangs does not end it. */
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

  /** When the server last let us in or answered a read, in ms of this process's clock. */
  get heardAt(): number | undefined {
    return this.#options.reading.heardAt;
  }

  /** Reads for the channel from now on, until its `count` is 0. */
  want(channel: Wanted): void {
    this.#wanted.add(channel);
    if (this.#running === undefined) this.#running = this.#run();
    else if (this.#read?.isBlocked && !this.#read.channels.has(channel)) void this.#end(this.#read);
  }

  /** Nobody waits on a channel any more. */
  leave(): void {
    this.#linger ??= setTimeout(() => {
      this.#linger = undefined;
      const read = this.#read;
      if (read?.isBlocked && [...read.channels].some((channel) => channel.count() === 0))
        void this.#end(read);
    }, lingerMs);
  }

  /** Resolves when no read is under way any more that may take something from the channel, as far as that is known. */
  async settled(channel: Wanted): Promise<void> {
    const read = this.#read;
    if (read === undefined || !read.channels.has(channel) || this.#options.commands.isAway) return;
    if (read.isBlocked) void this.#end(read);
    await within(endWithinMs, read.ended);
  }

  /** To be called when nobody waits any more: ends the read, in good order if the server answers. */
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
      // Lets those who were given something ask for the next.
      await new Promise<void>((resolve) => process.nextTick(resolve));
    }
    this.#running = undefined;
  }

  /** Those on which somebody waits; the others are forgotten. */
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
      // Whoever was given something, or came meanwhile, is asked for first.
      if (found.includes(true) || this.#channels().some((channel) => !channels.includes(channel))) return;
    }
    await this.#block(client);
  }

  /** Resolves with whether something was there. What is wrong with one key is no matter of the other channels. */
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
      // Which of the keys is meant Redis does not say. The scripts, each about its own channel, will.
      if (!isWrongType(error)) throw error;
      for (const channel of channels) channel.lookAt = 0;
    }
  }

  async #reading<T>(channels: readonly Wanted[], reply: Promise<T>, isBlocked: boolean): Promise<T> {
    // Its failure is seen by the one who waits for the reply.
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

  /** Never rejects. Tries until the read is over: the key may have been removed by a flush. */
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

/** Reads members and scores that follow each other. */
export function entriesOf(key: string, reply: ReadonlyArray<Buffer | undefined>): Entry[] {
  const entries: Entry[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const [member, score] = [reply[i], reply[i + 1]];
    // Redis writes a score in the shortest form or with an exponent; both read back to the same double.
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
