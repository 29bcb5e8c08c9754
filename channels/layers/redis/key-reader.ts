// Who takes messages from one key, for all who wait on it in this process.

import { setTimeout as pause } from 'node:timers/promises';
import { type Listening, worstOf } from '../../listening.js';
import { WaitingQueue } from '../../waiting-queue.js';
import { type Entry, entriesOf } from './blocking-reads.js';
import type { Host } from './host.js';
import { HostReads } from './host-reads.js';
import { PutBacks, type Taken } from './put-backs.js';

/** One of the hosts on which the key may be. */
export interface KeySource {
  readonly host: Host;
  /** Called before every read. */
  readonly beforeRead: () => void;
}

export interface KeyReaderOptions<T> {
  /** Those of one channel; the first that has something is read. */
  readonly keys: readonly string[];
  readonly sources: readonly KeySource[];
  /** Reads an entry; undefined when it had to be dropped. */
  readonly accept: (entry: Entry) => T | undefined;
  /** The TTL that an entry which is put back gives to a key without one, in ms. */
  readonly ttlMs: number;
}

/** The reads on one host, for as long as somebody waits. */
interface Running {
  /** In ms of this process's clock. */
  readonly since: number;
  readonly ended: Promise<void>;
}

const pauseAfterFailureMs = 1000;
/** How long is waited for the end of a blocked read. A server that hangs does not end it. */
const endWithinMs = 1000;
/** How long the other hosts' reads go on when nobody waits any more, for a receiver that asks one by one. */
const lingerMs = 50;

/** Bounds what Redis gives out at once. */
const entriesPerRead = 500;
/** Bounds what is read ahead for a receiver that asks for the next message at once. */
const mostAhead = 50;

/**
 * Reads on all hosts for as long as somebody waits, on each as many entries at a time as are wanted. An entry goes to
 * the one who has waited longest. When nobody waits any more, the blocked reads are ended; an entry that came back all the same is put back
 * with its old score, or, while Redis takes nothing, kept for the next who asks.
 */
export class KeyReader<T> {
  readonly #options: KeyReaderOptions<T>;
  readonly #taken = new WaitingQueue<Taken<T>>();
  readonly #reads: ReadonlyArray<readonly [KeySource, HostReads]>;
  /** Those of whom reads are under way. */
  readonly #running = new Map<HostReads, Running>();
  readonly #putBacks: PutBacks<T>;
  #puttingBack: Promise<void> | undefined;
  /** The attempt at that which is under way. */
  #attempt: Promise<boolean> | undefined;
  #linger: NodeJS.Timeout | undefined;
  /** Whether entries were just handed over, and who was given them may still ask for the next in the same step. */
  #justServed = false;
  /** How many more than wanted are read. */
  #ahead = 0;
  #stopping = false;

  constructor(options: KeyReaderOptions<T>) {
    this.#options = options;
    const { keys, sources, ttlMs } = options;
    this.#putBacks = new PutBacks(ttlMs);
    this.#reads = sources.map((source) => [source, new HostReads(source.host, keys)]);
  }

  /** Whether somebody waits, or something is still to be put back. */
  get busy(): boolean {
    return this.#running.size > 0 || this.#puttingBack !== undefined || this.#taken.length > 0;
  }

  get isWaitedOn(): boolean {
    return this.#taken.waiting > 0;
  }

  /** Waits for the next entries: at least one, at most `max`. An abort rejects with its reason and takes nothing. */
  async take(max: number, signal?: AbortSignal): Promise<T[]> {
    // What was read ahead is a part of what is there.
    if (this.#taken.length > 0 && this.#taken.length < max && !signal?.aborted) return this.#takeThere(max);
    const taken = this.#taken.takeMany(max, signal);
    if (this.#taken.waiting > 0) {
      if (this.#justServed) this.#ahead = Math.min(Math.max(1, this.#ahead * 2), mostAhead);
      this.#justServed = false;
      this.#readEverywhere();
    }
    try {
      return (await taken).map(({ value }) => value);
    } catch (error) {
      if (this.#taken.waiting === 0) this.#endBlockedReads();
      throw error;
    }
  }

  /** Takes what is there now, at most `max` entries. @throws LayerUnavailableError when nothing was taken before */
  async takeNow(max: number): Promise<T[]> {
    await this.#endOfUnwantedReads();
    return this.#takeThere(max);
  }

  /** What is known of the host that was silent the longest; undefined while nobody waits. */
  listening(): Listening | undefined {
    if (this.#taken.waiting === 0) return undefined;
    const now = performance.now();
    return worstOf(
      Array.from(this.#running, ([reads, { since }]) => ({
        waitingMs: now - since,
        heardMsAgo: reads.heardAt === undefined ? null : now - reads.heardAt,
        dueMs: reads.dueMs,
      })),
    );
  }

  /** Ends all waits with the error; resolves when nothing is under way any more. */
  async stop(error: Error): Promise<void> {
    this.#stopping = true;
    this.#taken.fail(error);
    this.#endBlockedReads();
    await Promise.all(Array.from(this.#running.values(), ({ ended }) => ended));
    await this.#puttingBack;
  }

  async #takeThere(max: number): Promise<T[]> {
    // Else what comes after it would overtake what is just put back. When that is refused, it is here again.
    if (this.#attempt !== undefined || this.#putBacks.areOpen()) await this.#tryToPutBack();
    const found: T[] = [];
    for (let kept = this.#taken.shift(); kept !== undefined; kept = this.#taken.shift()) {
      found.push(kept.value);
      if (found.length === max) return found;
    }
    for (const { host } of this.#options.sources) {
      try {
        found.push(...(await this.#pop(host, max - found.length)));
      } catch (error) {
        if (found.length === 0) throw error;
      }
      if (found.length === max) break;
    }
    return found;
  }

  /** What has just come may lie in the hands of a read that nobody waits for any more, until it has ended. */
  async #endOfUnwantedReads(): Promise<void> {
    if (this.#taken.waiting > 0 || this.#running.size === 0) return;
    this.#endBlockedReads();
    const reachable = Array.from(this.#running).filter(([reads]) => !reads.isAway);
    const patience = new AbortController();
    await Promise.race([
      Promise.all(reachable.map(([, { ended }]) => ended)),
      pause(endWithinMs, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
  }

  async #pop(host: Host, max: number): Promise<T[]> {
    const { keys, accept } = this.#options;
    const reply = await host.commands.run((client) => client.popBuffer(keys.length, ...keys, max));
    const entries = reply.flatMap((part, i) => entriesOf(keys[i] ?? '', part));
    return entries.map(accept).filter((value) => value !== undefined);
  }

  #readEverywhere(): void {
    clearTimeout(this.#linger);
    for (const [source, reads] of this.#reads) {
      if (this.#running.has(reads)) continue;
      this.#running.set(reads, {
        since: performance.now(),
        ended: this.#readWhileWanted(source, reads),
      });
    }
  }

  async #readWhileWanted(source: KeySource, reads: HostReads): Promise<void> {
    try {
      while (this.#taken.waiting > 0) {
        await this.#whenBack(source.host);
        if (this.#taken.waiting > 0) await this.#readOne(source, reads);
      }
    } catch (error) {
      this.#taken.fail(error);
    } finally {
      this.#running.delete(reads);
      reads.end();
    }
    if (this.#taken.length > 0) this.#puttingBack ??= this.#putBackWhileUnwanted();
    if (this.#running.size > 0 && this.#taken.waiting === 0) this.#endBlockedReadsSoon();
  }

  async #readOne({ host, beforeRead }: KeySource, reads: HostReads): Promise<void> {
    beforeRead();
    const { wanted } = this.#taken;
    const most = Math.max(Math.min(wanted, entriesPerRead), Math.min(wanted + this.#ahead, mostAhead));
    const taken: Taken<T>[] = [];
    for (const entry of await reads.take(most, () => this.isWaitedOn, beforeRead)) {
      const value = this.#options.accept(entry);
      if (value !== undefined) taken.push({ entry, value, host });
    }
    this.#taken.putMany(taken);
    if (taken.length > 0) this.#noteServed();
  }

  #noteServed(): void {
    if (this.#justServed) return;
    this.#justServed = true;
    // Runs when all who wait for a promise have gone on; and unlike setImmediate it costs no turn of the event loop.
    process.nextTick(() => {
      this.#justServed = false;
    });
  }

  async #putBackWhileUnwanted(): Promise<void> {
    // A receiver that asks one by one asks for the next within this turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#taken.length > 0) this.#ahead = 0;
    while (this.#taken.length > 0 || this.#putBacks.areOpen()) {
      if (await this.#tryToPutBack()) continue;
      if (this.#stopping) break;
      await pause(pauseAfterFailureMs);
    }
    this.#puttingBack = undefined;
  }

  /** One attempt at a time. */
  #tryToPutBack(): Promise<boolean> {
    this.#attempt ??= this.#putBack().finally(() => {
      this.#attempt = undefined;
    });
    return this.#attempt;
  }

  /** Returns whether all are back in Redis; what is not for certain is kept here. */
  async #putBack(): Promise<boolean> {
    const taken = this.#taken.length > 0 ? await this.#taken.takeMany(entriesPerRead) : [];
    const refused = await this.#putBacks.attempt(taken);
    this.#taken.putMany(refused);
    return refused.length === 0 && !this.#putBacks.areOpen();
  }

  /** Resolves when nothing is on its way back to the host, which what is read there next would overtake. */
  async #whenBack(host: Host): Promise<void> {
    while (!this.#stopping && (this.#attempt !== undefined || this.#putBacks.areOpen(host)))
      await (this.#attempt ?? pause(pauseAfterFailureMs));
  }

  #endBlockedReadsSoon(): void {
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => {
      if (this.#taken.waiting === 0) this.#endBlockedReads();
    }, lingerMs);
  }

  #endBlockedReads(): void {
    clearTimeout(this.#linger);
    const stillWanted = () => this.#taken.waiting > 0;
    for (const reads of this.#running.keys())
      reads.unblock(stillWanted).catch(() => {
        // Without a connection there is no blocked read either, or it ends by itself within some seconds.
      });
  }
}
