// The messages that a process has taken from one channel, and their waiters.

import { type Listening, listeningTo, worstOf } from '../../serving/listening.js';
import { WaitingQueue } from '../../waiting/waiting-queue.js';
import type { Client } from './connection/connection.js';
import type { Host } from './host.js';
import type { Entry, Wanted } from './waiting.js';

/** Messages taken from a host. */
export interface Taken<T> {
  readonly items: readonly T[];
  /** Milliseconds until the next read: 0 if there were messages, dropped ones included. */
  readonly nextMs: number;
}

/** How messages are taken from a channel: with or without a lease. */
export interface QueueSource<T> {
  /** The keys of the blocked read; none if only a script reads. */
  readonly blockedKeys: readonly string[];
  take(host: Host, client: Client, max: number): Promise<Taken<T>>;
  /** Decodes the entry of a blocked read; none if it was dropped. */
  read(host: Host, entry: Entry): readonly T[];
  /** Puts unwanted messages back. Never rejects; resolves with those that could not be put back. */
  putBack(items: readonly T[]): Promise<readonly T[]>;
}

/** The most messages that one script takes. */
const mostAtOnce = 500;

/**
 * Reads from all hosts while somebody waits. Each host gives no more than the waiters want, since a crash
 * loses what the process holds. The longest waiter gets a message. A message that nobody wants at the end of
 * the turn, after an abort or when another host was faster, goes back to its position.
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

  /** Whether the queue has waiters, or messages to put back. */
  get isBusy(): boolean {
    return this.#taken.waiting > 0 || this.#taken.length > 0 || this.#returning !== undefined;
  }

  /**
   * Waits for at least one message, and takes at most `max`. An abort rejects with its reason and takes
   * nothing.
   */
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

  /**
   * Takes at most `max` messages without waiting. @throws LayerUnavailableError when it has taken nothing
   * before the error
   *
   * @throws LayerUnavailableError when nothing was taken before
   */
  async takeNow(max: number): Promise<readonly T[]> {
    for (const [host, wanted] of this.#wanted) await host.reads.settled(wanted);
    await this.#returning;
    return this.#takeThere(max);
  }

  /** The host whose answer is the most overdue; undefined without waiters. */
  listening(): Listening | undefined {
    if (this.#taken.waiting === 0) return undefined;
    const hosts = [...this.#wanted.keys()];
    return worstOf(hosts.map(({ reads, dueMs }) => listeningTo(this.#waitingSince, reads.heardAt, dueMs)));
  }

  /** Ends all waits with the error. */
  fail(error: unknown): void {
    this.#taken.fail(error);
  }

  /** Resolves when all messages are put back, or cannot be. Call it after `fail`. */
  async stop(): Promise<void> {
    if (this.#taken.length > 0) this.#returnUnwanted();
    await this.#returning;
  }

  #wantedOf(host: Host): Wanted {
    return {
      blockedKeys: this.#source.blockedKeys,
      lookAt: 0,
      // New messages must not overtake those that are being put back.
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

/** Above this number, unused queues are removed. */
const mostIdleQueues = 1000;

/** The queues of all channels that a process receives on. */
export class Queues<T> {
  readonly #make: (channel: string, variant: number) => ChannelQueue<T>;
  readonly #queues = new Map<string, ChannelQueue<T>>();

  constructor(make: (channel: string, variant: number) => ChannelQueue<T>) {
    this.#make = make;
  }

  /** What is known of the hosts while somebody waits on the channel or process key. */
  listening(channel: string): Listening | undefined {
    const queues = [...this.#queues.values()].filter((queue) => queue.channel === channel);
    return worstOf(queues.map((queue) => queue.listening()).filter((found) => found !== undefined));
  }

  /** The queue of a general channel or process key. */
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

  /** Ends all waits with the error. Resolves when all messages are put back, or cannot be. */
  async stop(error: Error, ended: Promise<unknown>): Promise<void> {
    const queues = [...this.#queues.values()];
    for (const queue of queues) queue.fail(error);
    await ended;
    await Promise.all(queues.map((queue) => queue.stop()));
  }
}
