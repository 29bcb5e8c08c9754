// What a process has taken from one channel, and who waits for it.

import { type Listening, listeningTo, worstOf } from '../../serving/listening.js';
import { WaitingQueue } from '../../waiting/waiting-queue.js';
import type { Client } from './connection/connection.js';
import type { Host } from './host.js';
import type { Entry, Wanted } from './waiting.js';

/** What was taken from a host. */
export interface Taken<T> {
  readonly items: readonly T[];
  /** Milliseconds until the next look is due: 0 when something was there, be it only to be dropped. */
  readonly nextMs: number;
}

/** How messages are taken from a channel: for good, or on lease. */
export interface QueueSource<T> {
  /** What a blocked read takes from; none where only a script takes. */
  readonly blockedKeys: readonly string[];
  take(host: Host, client: Client, max: number): Promise<Taken<T>>;
  /** Reads what a blocked read brought; none when it had to be dropped. */
  read(host: Host, entry: Entry): readonly T[];
  /** Puts back what nobody wanted. Never rejects; resolves with what could not be put back and is still ours. */
  putBack(items: readonly T[]): Promise<readonly T[]>;
}

/** Bounds what one script takes. */
const mostAtOnce = 500;

/**
 * Has all hosts read for as long as somebody waits, each no more than they have asked for: a process that dies loses
 * what it has. A message goes to the one who has waited longest. What nobody wants by the end of the turn, since a
 * wait was called off or another host was quicker, goes back to its place.
 */
export class ChannelQueue<T> {
  readonly channel: string;
  readonly #source: QueueSource<T>;
  readonly #taken = new WaitingQueue<T>();
  readonly #wanted: ReadonlyMap<Host, Wanted>;
  #returning: Promise<void> | undefined;
  #isReturnDue = false;
  #waitingSince = 0;

  constructor(channel: string, hosts: readonly Host[], source: QueueSource<T>) {
    this.channel = channel;
    this.#source = source;
    this.#wanted = new Map(hosts.map((host) => [host, this.#wantedOf(host)]));
  }

  /** Whether somebody waits, or something is still to be put back. */
  get isBusy(): boolean {
    return this.#taken.waiting > 0 || this.#taken.length > 0 || this.#returning !== undefined;
  }

  /** Waits for the next messages: at least one, at most `max`. An abort rejects with its reason and takes nothing. */
  async take(max: number, signal?: AbortSignal): Promise<readonly T[]> {
    if (this.#taken.waiting === 0) this.#waitingSince = performance.now();
    const taken = this.#taken.takeMany(max, signal);
    if (this.#taken.waiting > 0) this.#want();
    try {
      return await taken;
    } finally {
      if (this.#taken.waiting === 0) for (const { reads } of this.#wanted.keys()) reads.leave();
    }
  }

  /** Takes what is there now, at most `max` messages. @throws LayerUnavailableError when nothing was taken before */
  async takeNow(max: number): Promise<readonly T[]> {
    for (const [host, wanted] of this.#wanted) await host.reads.settled(wanted);
    await this.#returning;
    return this.#takeThere(max);
  }

  /** What is known of the host that was silent the longest; undefined while nobody waits. */
  listening(): Listening | undefined {
    if (this.#taken.waiting === 0) return undefined;
    const hosts = [...this.#wanted.keys()];
    return worstOf(hosts.map(({ reads, dueMs }) => listeningTo(this.#waitingSince, reads.heardAt, dueMs)));
  }

  /** Ends all waits with the error. */
  fail(error: unknown): void {
    this.#taken.fail(error);
  }

  /** Resolves when what was taken is back, or cannot be put back. To be called after `fail`. */
  async stop(): Promise<void> {
    if (this.#taken.length > 0) this.#returnUnwanted();
    await this.#returning;
  }

  #wantedOf(host: Host): Wanted {
    return {
      blockedKeys: this.#source.blockedKeys,
      lookAt: 0,
      // What comes after that which is being put back must not overtake it.
      count: () =>
        this.#taken.waiting === 0 || this.#returning !== undefined
          ? 0
          : Math.min(this.#taken.wanted, mostAtOnce),
      take: async (client, max, popped) => {
        const work = [popped, this.#source.take(host, client, max)] as const;
        const [first, taken] = await Promise.allSettled(work);
        const entry = first.status === 'fulfilled' ? first.value : undefined;
        const before = entry === undefined ? [] : this.#source.read(host, entry);
        this.#give(taken.status === 'fulfilled' ? [...before, ...taken.value.items] : before);
        if (taken.status === 'rejected') throw taken.reason;
        return taken.value.nextMs;
      },
      give: (entry) => this.#give(this.#source.read(host, entry)),
      fail: (error) => this.#taken.fail(error),
    };
  }

  #want(): void {
    if (this.#returning !== undefined) return;
    for (const [host, wanted] of this.#wanted) host.reads.want(wanted);
  }

  #give(items: readonly T[]): void {
    if (items.length === 0) return;
    this.#taken.putMany(items);
    if (this.#taken.length === 0 || this.#isReturnDue) return;
    this.#isReturnDue = true;
    setImmediate(() => {
      this.#isReturnDue = false;
      if (this.#taken.length > 0) this.#returnUnwanted();
    });
  }

  async #takeThere(max: number): Promise<readonly T[]> {
    const found = this.#takeKept(max);
    for (const host of this.#wanted.keys()) {
      if (found.length === max) break;
      try {
        const left = max - found.length;
        const { items } = await host.commands.run((client) => this.#source.take(host, client, left));
        found.push(...items);
      } catch (error) {
        if (found.length === 0) throw error;
      }
    }
    return found;
  }

  #takeKept(max: number): T[] {
    const kept = this.#taken.first(max);
    for (let n = kept.length; n > 0; n--) this.#taken.shift();
    return kept;
  }

  #returnUnwanted(): void {
    const unwanted = this.#takeKept(this.#taken.length);
    const before = this.#returning ?? Promise.resolve();
    const returning: Promise<void> = before
      .then(() => this.#source.putBack(unwanted))
      .then((refused) => {
        if (this.#returning === returning) this.#returning = undefined;
        this.#taken.putMany(refused);
        if (this.#taken.waiting > 0) this.#want();
      });
    this.#returning = returning;
  }
}

/** From so many queues on those are forgotten that nobody uses. */
const mostIdleQueues = 1000;

/** The queues of all channels that a process receives on. */
export class Queues<T> {
  readonly #make: (channel: string, variant: number) => ChannelQueue<T>;
  readonly #queues = new Map<string, ChannelQueue<T>>();

  constructor(make: (channel: string, variant: number) => ChannelQueue<T>) {
    this.#make = make;
  }

  /** What is known of the hosts while somebody waits on the channel, or the process's key. */
  listening(channel: string): Listening | undefined {
    const queues = [...this.#queues.values()].filter((queue) => queue.channel === channel);
    return worstOf(queues.map((queue) => queue.listening()).filter((found) => found !== undefined));
  }

  /** The queue of a general channel, or of a process's key. */
  of(channel: string, variant = 0): ChannelQueue<T> {
    const name = `${channel} ${variant}`;
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    if (this.#queues.size >= mostIdleQueues)
      for (const [key, queue] of this.#queues) if (!queue.isBusy) this.#queues.delete(key);
    const queue = this.#make(channel, variant);
    this.#queues.set(name, queue);
    return queue;
  }

  /** Ends all waits with the error; resolves when what was taken is back, or cannot be put back. */
  async stop(error: Error, ended: Promise<unknown>): Promise<void> {
    const queues = [...this.#queues.values()];
    for (const queue of queues) queue.fail(error);
    await ended;
    await Promise.all(queues.map((queue) => queue.stop()));
  }
}
