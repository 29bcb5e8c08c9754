// What a process has taken from one channel, and who waits for it.

import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { LayerClosedError, LayerUnavailableError, type UnavailableReason } from '../../errors.js';
import { type Listening, listeningTo, worstOf } from '../../listening.js';
import { WaitingQueue } from '../../waiting-queue.js';
import type { Host } from './host.js';
import type { ChannelKeys } from './lease-scripts.js';
import { type Entry, take, type Wanted } from './waiting.js';

export interface ChannelQueueOptions<T> {
  readonly keys: ChannelKeys;
  /** Milliseconds for which messages wait: after a lease, and under a key without a TTL. */
  readonly expiryMs: number;
  /** Any of them may have something. */
  readonly hosts: readonly Host[];
  /** Reads an entry; undefined when it had to be dropped. */
  readonly accept: (entry: Entry) => T | undefined;
  /** Told how many messages had waited for too long after a lease. */
  readonly onExpired: (count: number) => void;
}

/** An entry, what was read from it, and where it was. */
interface Taken<T> {
  readonly entry: Entry;
  readonly value: T;
  readonly host: Host;
}

/** Bounds what is read ahead for a receiver that asks for the next message at once. */
const mostAhead = 50;
/** Bounds what one script takes. */
const mostAtOnce = 500;
const retryAfterMs = 200;

/**
 * Has all hosts read for as long as somebody waits. An entry goes to the one who has waited longest. What nobody has
 * asked for by the end of the turn goes back with its old score, so that it is there for others.
 */
export class ChannelQueue<T> {
  readonly #options: ChannelQueueOptions<T>;
  readonly #taken = new WaitingQueue<Taken<T>>();
  readonly #wanted: ReadonlyMap<Host, Wanted>;
  /** How many more than wanted are read. */
  #ahead = 0;
  /** Whether entries were handed over in this turn, and who was given them may still ask for the next. */
  #isServing = false;
  #returning: Promise<void> | undefined;
  #isReturnDue = false;
  #isStopped = false;
  #waitingSince = 0;

  constructor(options: ChannelQueueOptions<T>) {
    this.#options = options;
    this.#wanted = new Map(options.hosts.map((host) => [host, this.#wantedOf(host)]));
  }

  /** Whether somebody waits, or something is still to be put back. */
  get isBusy(): boolean {
    return this.#taken.waiting > 0 || this.#taken.length > 0 || this.#returning !== undefined;
  }

  /** Waits for the next entries: at least one, at most `max`. An abort rejects with its reason and takes nothing. */
  async take(max: number, signal?: AbortSignal): Promise<T[]> {
    // What was read ahead is a part of what is there.
    if (this.#taken.length > 0 && this.#taken.length < max && !signal?.aborted) return this.#takeThere(max);
    if (this.#taken.waiting === 0) this.#waitingSince = performance.now();
    const taken = this.#taken.takeMany(max, signal);
    if (this.#taken.waiting > 0) {
      if (this.#isServing) this.#ahead = Math.min(Math.max(1, this.#ahead * 2), mostAhead);
      this.#want();
    }
    try {
      return (await taken).map(({ value }) => value);
    } finally {
      if (this.#taken.waiting === 0) for (const { reads } of this.#wanted.keys()) reads.leave();
    }
  }

  /** Takes what is there now, at most `max` entries. @throws LayerUnavailableError when nothing was taken before */
  async takeNow(max: number): Promise<T[]> {
    for (const [host, wanted] of this.#wanted) await host.reads.settled(wanted);
    await this.#returning;
    return this.#takeThere(max);
  }

  /** What is known of the host that was silent the longest; undefined while nobody waits. */
  listening(): Listening | undefined {
    if (this.#taken.waiting === 0) return undefined;
    const { hosts } = this.#options;
    return worstOf(hosts.map(({ reads, dueMs }) => listeningTo(this.#waitingSince, reads.heardAt, dueMs)));
  }

  /** Ends all waits with the error. */
  fail(error: unknown): void {
    this.#taken.fail(error);
  }

  /** Resolves when what was taken is back, or cannot be put back. To be called after `fail`. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#taken.length > 0) this.#returnUnwanted();
    await this.#returning;
  }

  #wantedOf(host: Host): Wanted {
    const { keys, expiryMs, onExpired } = this.#options;
    return {
      keys,
      expiryMs,
      // What comes after that which is being put back must not overtake it.
      count: () =>
        this.#taken.waiting === 0 || this.#returning !== undefined
          ? 0
          : Math.min(this.#taken.wanted + this.#ahead, mostAtOnce),
      give: (entries, expired) => {
        if (expired > 0) onExpired(expired);
        this.#give(entries, host);
      },
      fail: (error) => this.#taken.fail(error),
    };
  }

  #want(): void {
    if (this.#returning !== undefined) return;
    for (const [host, wanted] of this.#wanted) host.reads.want(wanted);
  }

  #give(entries: readonly Entry[], host: Host): void {
    this.#taken.putMany(this.#accepted(entries, host));
    this.#isServing = true;
    // Runs when all who wait for a promise have gone on.
    process.nextTick(() => {
      this.#isServing = false;
    });
    if (this.#taken.length === 0 || this.#isReturnDue) return;
    this.#isReturnDue = true;
    setImmediate(() => {
      this.#isReturnDue = false;
      if (this.#taken.length > 0) this.#returnUnwanted();
    });
  }

  #accepted(entries: readonly Entry[], host: Host): Array<Taken<T>> {
    return entries.flatMap((entry) => {
      const value = this.#options.accept(entry);
      return value === undefined ? [] : [{ entry, value, host }];
    });
  }

  async #takeThere(max: number): Promise<T[]> {
    const found: T[] = [];
    while (found.length < max) {
      const kept = this.#taken.shift();
      if (kept === undefined) break;
      found.push(kept.value);
    }
    for (const host of this.#wanted.keys()) {
      if (found.length === max) break;
      try {
        found.push(...(await this.#takeFrom(host, max - found.length)));
      } catch (error) {
        if (found.length === 0) throw error;
      }
    }
    return found;
  }

  async #takeFrom(host: Host, max: number): Promise<T[]> {
    const { keys, expiryMs, onExpired } = this.#options;
    const channel = { keys, expiryMs, count: () => max };
    const [taken] = await host.commands.run((client) => take(client, [channel]));
    if (taken === undefined) return [];
    if (taken instanceof Error) throw host.commands.unavailable(taken);
    if (taken.expired > 0) onExpired(taken.expired);
    return this.#accepted(taken.entries, host).map(({ value }) => value);
  }

  #returnUnwanted(): void {
    this.#ahead = 0;
    const taken: Array<Taken<T>> = [];
    for (let each = this.#taken.shift(); each !== undefined; each = this.#taken.shift()) taken.push(each);
    const before = this.#returning ?? Promise.resolve();
    const returning: Promise<void> = before
      .then(() => this.#putBack(taken))
      .then((refused) => this.#returned(returning, refused));
    this.#returning = returning;
  }

  #returned(returning: Promise<void>, refused: ReadonlyArray<Taken<T>>): void {
    if (this.#returning === returning) this.#returning = undefined;
    this.#taken.putMany(refused);
    if (this.#taken.waiting > 0) this.#want();
  }

  /** Returns those that Redis does not want back. Never rejects. */
  async #putBack(taken: ReadonlyArray<Taken<T>>): Promise<Array<Taken<T>>> {
    const places = new Map<string, Array<Taken<T>>>();
    for (const each of taken) {
      const place = `${this.#options.hosts.indexOf(each.host)} ${each.entry.key}`;
      places.set(place, [...(places.get(place) ?? []), each]);
    }
    const refused = await Promise.all(Array.from(places.values(), (some) => this.#putBackUnder(some)));
    return refused.flat();
  }

  /**
   * Tries until Redis has answered. When a reply is lost nobody here knows whether it was done, and another receiver may
   * have the messages already; Redis notes what was done, so that it does nothing twice.
   */
  async #putBackUnder(taken: ReadonlyArray<Taken<T>>): Promise<ReadonlyArray<Taken<T>>> {
    const [first] = taken;
    if (first === undefined) return [];
    const { host, entry } = first;
    // A `:` is in no channel's name, so this is no channel's key.
    const note = `${entry.key}:returned:${randomBytes(8).toString('hex')}`;
    const pairs = taken.flatMap(({ entry }) => [entry.score, entry.member]);
    for (;;) {
      try {
        await host.commands.run((client) =>
          client.putBack(2, entry.key, note, this.#options.expiryMs, ...pairs),
        );
        host.commands.run((client) => client.zrem(note, '')).catch(() => undefined);
        return [];
      } catch (error) {
        if (error instanceof LayerUnavailableError && denials.has(error.reason)) return taken;
        if (this.#isStopped || error instanceof LayerClosedError) return [];
        await pause(retryAfterMs);
      }
    }
  }
}

/** After these answers it was not done, now or earlier; the others may be another server's than that which did it. */
const denials: ReadonlySet<UnavailableReason> = new Set(['out-of-memory', 'refused']);
