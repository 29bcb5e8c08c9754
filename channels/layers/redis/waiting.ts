// How a process waits on one host for messages of all the channels that it receives on.
//
// One connection reads, in a loop for as long as somebody waits: a script takes what is there on all channels, and when
// that is nothing, one BZPOPMIN waits on all their keys together. A message that a peer of any kind sends ends that
// wait. While one message at a time is wanted, BZPOPMIN alone does. So does an entry under a key of our own, which we add when the channels have changed: unlike CLIENT UNBLOCK it
// needs no right of its own, and it works although the read has not reached the server yet.

import { setTimeout as pause } from 'node:timers/promises';
import { LayerClosedError } from '../../errors.js';
import type { Client, Connection } from './connection.js';
import { InflightWatch } from './inflight.js';
import type { ChannelKeys } from './lease-scripts.js';
import { isPermanent, isReplyError, replyError } from './replies.js';

/** A member as it lay in its sorted set. */
export interface Entry {
  readonly key: string;
  readonly member: Buffer;
  /** The sender's time of sending, in seconds since 1970. */
  readonly score: number;
}

/** A channel on which somebody waits. */
export interface Wanted {
  readonly keys: ChannelKeys;
  /** Milliseconds for which its messages wait after a lease. */
  readonly expiryMs: number;
  /** How many entries to take; 0 when nobody waits. */
  count(): number;
  give(entries: readonly Entry[], expired: number): void;
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
  readonly #inflight: InflightWatch;
  readonly #wanted = new Set<Wanted>();
  #running: Promise<void> | undefined;
  #read: Read | undefined;
  #linger: NodeJS.Timeout | undefined;
  #heardAt: number | undefined;
  /** The channels that the script last found empty, and until when it need not look at them again. */
  #empty: { readonly channels: readonly Wanted[]; readonly until: number } | undefined;

  constructor(options: HostReadsOptions) {
    this.#options = options;
    this.#inflight = new InflightWatch(options.commands);
  }

  /** When the server last let us in or answered a read, in ms of this process's clock. */
  get heardAt(): number | undefined {
    return this.#heardAt;
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
        const client = await reading.ready();
        this.#heardAt = performance.now();
        await this.#readOnce(client);
        failures = 0;
      } catch (error) {
        const told = isReplyError(error) ? reading.unavailable(error) : error;
        if (told instanceof LayerClosedError || isPermanent(told)) this.#fail(told);
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

  #fail(error: unknown): void {
    for (const channel of this.#channels()) channel.fail(error);
  }

  async #readOnce(client: Client): Promise<void> {
    const channels = this.#channels();
    if (this.#isBlockedReadEnough(channels)) return this.#block(client);
    this.#inflight.lookWhenDue(channels);
    const taking = take(client, channels);
    const taken = await this.#reading(channels, taking, false);
    let nextMs = this.#options.blockMs;
    let isAnythingThere = false;
    for (const [i, reply] of taken.entries()) {
      const channel = channels[i];
      if (channel === undefined) continue;
      if (reply instanceof Error) {
        channel.fail(this.#options.reading.unavailable(reply));
        continue;
      }
      nextMs = Math.min(nextMs, reply.nextMs);
      if (reply.entries.length === 0 && reply.expired === 0) continue;
      isAnythingThere = true;
      channel.give(reply.entries, reply.expired);
    }
    // Whoever came meanwhile is asked for first, too.
    const isNobodyNew = this.#channels().every((channel) => channels.includes(channel));
    if (isAnythingThere || !isNobodyNew) return;
    this.#empty = { channels, until: performance.now() + nextMs };
    await this.#block(client);
  }

  /** A blocked read brings one message, in one round trip, and does not see that a lease is over. */
  #isBlockedReadEnough(channels: readonly Wanted[]): boolean {
    const { channels: empty = [], until = 0 } = this.#empty ?? {};
    return performance.now() < until && channels.every((each) => each.count() === 1 && empty.includes(each));
  }

  async #block(client: Client): Promise<void> {
    const channels = this.#channels();
    if (channels.length === 0) return;
    const { wakeKey } = this.#options;
    const waitMs = (this.#empty?.until ?? 0) - performance.now();
    const keys = channels.flatMap(({ keys }) => readKeys(keys));
    const seconds = Math.ceil(Math.max(waitMs, 1)) / 1000;
    const reply = await this.#reading(channels, client.bzpopminBuffer(wakeKey, ...keys, seconds), true);
    const key = reply?.[0].toString();
    const channel = channels.find(({ keys }) => readKeys(keys).some((name) => name === key));
    if (reply !== null && key !== undefined) channel?.give(entriesOf(key, reply.slice(1)), 0);
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
      this.#heardAt = performance.now();
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
      await commands.run((client) => client.addFor(1, wakeKey, 0, wakeTtlMs, 'wake')).catch(() => undefined);
      await within(pauseMs, read.ended);
    }
  }
}

/** What lies under the keys of one channel. */
interface Taken {
  readonly entries: readonly Entry[];
  /** How many had waited for too long after a lease. */
  readonly expired: number;
  /** Milliseconds until the next lease is over. */
  readonly nextMs: number;
}

/** Takes what is there, from each channel as many entries as it wants. */
export async function take(
  client: Client,
  channels: ReadonlyArray<Pick<Wanted, 'keys' | 'expiryMs' | 'count'>>,
): Promise<Array<Taken | Error>> {
  const keys = channels.flatMap(({ keys }) => allKeys(keys));
  const args = channels.flatMap((channel) => [
    allKeys(channel.keys).length,
    channel.count(),
    channel.expiryMs,
  ]);
  const replies = await client.takeBuffer(keys.length, ...keys, ...args);
  return replies.map((reply, i) => {
    const { again = '', messages } = channels[i]?.keys ?? { messages: '' };
    if (Buffer.isBuffer(reply)) return replyError(reply.toString());
    const [comeAgain, waiting, expired, nextMs] = reply;
    const entries = [...entriesOf(again, comeAgain), ...entriesOf(messages, waiting)];
    return { entries, expired, nextMs: nextMs < 0 ? Number.POSITIVE_INFINITY : nextMs };
  });
}

/** Reads members and scores that follow each other. */
export function entriesOf(key: string, reply: readonly Buffer[]): Entry[] {
  const entries: Entry[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const [member, score] = [reply[i], reply[i + 1]];
    // Redis writes a score in the shortest form or with an exponent; both read back to the same double.
    if (member !== undefined && score !== undefined)
      entries.push({ key, member, score: Number(score.toString()) });
  }
  return entries;
}

/** Those that are waited on: what comes again goes before what waits for the first time. */
function readKeys({ again, messages }: ChannelKeys): string[] {
  return again === undefined ? [messages] : [again, messages];
}

function allKeys({ messages, again, lease, leased }: ChannelKeys): string[] {
  return [messages, again, lease, leased].filter((key) => key !== undefined);
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const patience = new AbortController();
  await Promise.race([work, pause(ms, undefined, { signal: patience.signal }).catch(() => undefined)]);
  patience.abort();
}
