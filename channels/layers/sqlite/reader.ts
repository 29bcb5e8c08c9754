// The receiving side of the embedded layer: who waits under which key, and when it is worth looking.

import { setTimeout as pause } from 'node:timers/promises';
import { beatMs } from '../../beat.js';
import { LayerClosedError } from '../../errors.js';
import type { Listening } from '../../listening.js';
import { bellOf, bells, DoorbellWatcher } from './doorbell.js';
import { EndOfTurn } from './end-of-turn.js';
import { LayerFileError } from './errors.js';
import { Flow } from './flow.js';
import type { LayerFile } from './layer-file.js';
import type { LeasedRow, LeasePolicy } from './lease-store.js';
import type { MessageStore, StoredMessage } from './message-store.js';
import { ReadAhead } from './read-ahead.js';

const retryAfterMs = 5;
/** Who waits looks at each beat, and then the file may be locked by others for some more seconds. */
const lookWithinMs = beatMs + 5000;
/** Bounds what one transaction takes. */
const messagesPerTake = 500;
/** Timers go no further than this. */
const longestTimerMs = 2 ** 31 - 1;

export interface ReaderOptions {
  readonly file: LayerFile;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly policyOf: (key: string) => LeasePolicy;
  /** How long closing tries to put back what was read ahead, while other processes hold the lock; default 5,000 ms. */
  readonly patienceMs?: number;
}

export class Reader {
  readonly #file: LayerFile;
  readonly #now: () => number;
  readonly #policyOf: (key: string) => LeasePolicy;
  readonly #patienceMs: number;
  /** In the order in which they came. */
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** Keys under which there may be something for who waits. */
  readonly #promising = new Set<string>();
  /** By key; of those that were asked for lately. */
  readonly #ahead = new Map<string, ReadAhead>();
  readonly #turn = new EndOfTurn(() => this.#serve());
  readonly #watcher: DoorbellWatcher;
  readonly #flow = new Flow(
    () => this.#lookEverywhere(),
    () => this.#lookEverywhere(),
  );
  /** Keys under which there was nothing more at the last look of a flow: until the next one nobody needs to look. */
  readonly #drained = new Set<string>();
  /** How often this process itself had rung each bell when it was heard last. */
  readonly #ownRings = bells.map(() => 0);
  /** Whether another process has rung just now, and whether the last time that brought something. */
  #isRung = false;
  #wasForUs = false;
  #store: MessageStore | undefined;
  #dataVersion: unknown;
  /** Since when somebody has waited without a break, and when the file was last read, in ms of this process's clock. */
  #waitingSince = 0;
  #readAt: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Goes off when the first lease is over under a key on which somebody waits. */
  #leaseTimer: NodeJS.Timeout | undefined;
  #leaseTimerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor({ file, now, policyOf, patienceMs = 5000 }: ReaderOptions) {
    this.#file = file;
    this.#now = now;
    this.#policyOf = policyOf;
    this.#patienceMs = patienceMs;
    this.#watcher = new DoorbellWatcher(
      file.path,
      (bell) => this.#onRing(bell),
      () => this.#lookEverywhere(),
    );
  }

  /**
   * Takes the next messages from under a key, between one and `max`, waiting for the first. Taking and handing over
   * is one step, so an abort loses nothing. A pending call keeps the process alive.
   *
   * @throws LayerFileError when the file is beyond use; what may pass is waited through. LayerClosedError; the
   *   signal's reason
   */
  take(key: string, max: number, signal?: AbortSignal): Promise<readonly StoredMessage[]> {
    const ahead = this.#ahead.get(key);
    if (ahead !== undefined && ahead.length >= max && !this.#closed && !signal?.aborted)
      return Promise.resolve(ahead.take(max));
    ahead?.noteAsked();
    // Together with what lies behind it.
    this.#putBack(key);
    return this.#wait<StoredMessage>(key, signal, (give) => ({ max, give }));
  }

  /** The same, but the messages come again when they are not acknowledged in time. */
  lease(key: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<readonly LeasedRow[]> {
    return this.#wait<LeasedRow>(key, signal, (give) => ({ max, leaseMs, give }));
  }

  /** What is known of the file; undefined while nobody waits under the key. */
  listening(key: string): Listening | undefined {
    if (!this.#waiters.has(key)) return undefined;
    const now = performance.now();
    const heardMsAgo = this.#readAt === undefined ? null : now - this.#readAt;
    return { waitingMs: now - this.#waitingSince, heardMsAgo, dueMs: lookWithinMs };
  }

  /** The keys on which somebody waits. */
  waitedOn(): Iterable<string> {
    return this.#waiters.keys();
  }

  /** Something was put under this key by this process. */
  wake(key: string): void {
    if (!this.#waiters.has(key)) return;
    this.#promising.add(key);
    this.#turn.schedule();
  }

  /** Forgets what was taken ahead. */
  clear(): void {
    this.#ahead.clear();
  }

  /**
   * Ends all waits with LayerClosedError and puts back what was read ahead. Safe to call twice.
   *
   * @throws LayerFileError when that could not be put back within the patience; then it is lost
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#failAll(new LayerClosedError());
    clearTimeout(this.#retry);
    clearTimeout(this.#leaseTimer);
    this.#flow.stop();
    this.#watcher.close();
    try {
      for (const key of this.#ahead.keys()) await this.#putBackAtLast(key);
    } finally {
      this.#ahead.clear();
    }
  }

  #wait<T>(
    key: string,
    signal: AbortSignal | undefined,
    terms: (give: (messages: readonly T[]) => void) => PlainTerms | LeaseTerms,
  ): Promise<readonly T[]> {
    if (this.#closed) return Promise.reject(new LayerClosedError());
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.fail(signal?.reason);
      const leave = () => {
        signal?.removeEventListener('abort', onAbort);
        this.#forget(key, waiter);
      };
      const give = (messages: readonly T[]) => {
        leave();
        resolve(messages);
      };
      const fail = (error: unknown) => {
        leave();
        reject(error);
      };
      const waiter: Waiter = { ...terms(give), fail };
      signal?.addEventListener('abort', onAbort);
      this.#enlist(key, waiter);
    });
  }

  #enlist(key: string, waiter: Waiter): void {
    if (this.#waiters.size === 0) this.#waitingSince = performance.now();
    const waiters = this.#waiters.get(key);
    if (waiters === undefined) this.#waiters.set(key, new Set([waiter]));
    else waiters.add(waiter);
    this.#watcher.hold();
    if (!this.#flow.isOn || !this.#drained.has(key)) this.wake(key);
  }

  #forget(key: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(key);
    if (this.#waiters.size === 0) this.#watcher.release();
  }

  #onRing(bell: number): void {
    const rings = this.#file.rings.of(bell);
    const isOthers = rings === this.#ownRings[bell];
    this.#ownRings[bell] = rings;
    this.#tolerant(() => {
      // It may have been for what this process sent itself and has looked at.
      if (!isOthers && !this.#hasChanged()) return;
      this.#flow.noteWoken(this.#file.rings.total);
      for (const key of this.#waiters.keys()) if (bellOf(key) === bell) this.#promising.add(key);
      this.#isRung = isOthers;
      this.#serve();
      this.#isRung = false;
    });
  }

  #hasChanged(): boolean {
    const version = this.#file.use((store) => store === this.#store && store.dataVersion());
    if (version !== false && version === this.#dataVersion) return false;
    this.#dataVersion = version;
    return true;
  }

  #lookEverywhere(): void {
    this.#drained.clear();
    for (const key of this.#waiters.keys()) this.#promising.add(key);
    this.#serve();
  }

  #serve(): void {
    this.#tolerant(() => {
      if (this.#waiters.size === 0) return this.#promising.clear();
      this.#file.use((store) => {
        this.#attend(store);
        for (const key of this.#promising) {
          this.#serveKey(store, key);
          this.#promising.delete(key);
        }
        this.#readAt = performance.now();
      });
    });
  }

  /** Watches before it looks, so that nothing falls in between. */
  #attend(store: MessageStore): void {
    if (store !== this.#store) {
      this.#store = store;
      this.#watcher.stop();
      for (const key of this.#waiters.keys()) this.#promising.add(key);
    }
    if (this.#flow.isOn) this.#watcher.stop();
    else for (const key of this.#promising) this.#watcher.start(bellOf(key));
  }

  #serveKey(store: MessageStore, key: string): void {
    for (let waiters = this.#waiters.get(key); waiters; waiters = this.#waiters.get(key)) {
      const [first] = waiters;
      const lease = first !== undefined && isLease(first) ? first : undefined;
      const plain = lease === undefined ? Array.from(waiters).filter(isPlain) : [];
      if (this.#isRung && this.#wasForUs && plain.length > 0 && this.#give(store, key, plain)) continue;
      // Looking does not write, so many who wait in vain disturb no one.
      const availableAt = store.availableAt(key);
      if (this.#isRung) this.#wasForUs = availableAt === 0;
      if (availableAt === undefined) return;
      const now = this.#now();
      if (availableAt > now) {
        this.#serveAt(availableAt);
        return;
      }
      if (lease !== undefined) this.#lend(store, key, lease, now);
      else if (availableAt === 0) this.#give(store, key, plain);
      else this.#giveOver(store, key, plain, now);
    }
  }

  #lend(store: MessageStore, key: string, waiter: LeaseTerms, now: number): void {
    const limit = Math.min(waiter.max, messagesPerTake);
    const request = { key, limit, now, leaseMs: waiter.leaseMs, policy: this.#policyOf(key) };
    const messages = store.leases.take(request);
    if (messages.length > 0) waiter.give(messages);
  }

  /** Gives what waits its turn for the first time; false when there is nothing. */
  #give(store: MessageStore, key: string, waiters: readonly PlainTerms[]): boolean {
    const ahead = this.#aheadOf(key);
    const wanted = wantedBy(waiters);
    const most = ahead.most(wanted);
    const messages = store.take(key, most, this.#now(), wanted);
    if (messages.length === 0) return false;
    this.#flow.noteTaken(messages.length);
    if (this.#flow.isOn && messages.length < most) this.#drained.add(key);
    ahead.noteServed(distribute(messages, waiters));
    return true;
  }

  /** Gives what others had on lease for too long, when there is nothing else. */
  #giveOver(store: MessageStore, key: string, waiters: readonly PlainTerms[], now: number): void {
    distribute(store.leases.takeOver(key, wantedBy(waiters), now, this.#policyOf(key)), waiters);
  }

  #aheadOf(key: string): ReadAhead {
    let ahead = this.#ahead.get(key);
    if (ahead === undefined) {
      ahead = new ReadAhead(() => this.#onTurnOver(key));
      this.#ahead.set(key, ahead);
    }
    return ahead;
  }

  /** What is not taken within the turn in which it could have been goes back. */
  #onTurnOver(key: string): void {
    const ahead = this.#ahead.get(key);
    if (ahead === undefined || this.#closed) return;
    if (ahead.length > 0) ahead.beginAnew();
    this.#putBack(key);
    if (ahead.length === 0 && !this.#waiters.has(key)) this.#ahead.delete(key);
  }

  #putBack(key: string): void {
    try {
      this.#tryToPutBack(key);
    } catch {
      // Whatever the reason, the messages are ours until somebody takes them or they can be put back.
      setTimeout(() => {
        if (!this.#closed) this.#putBack(key);
      }, retryAfterMs);
    }
  }

  async #putBackAtLast(key: string): Promise<void> {
    for (const giveUpAt = performance.now() + this.#patienceMs; ; ) {
      try {
        this.#tryToPutBack(key);
        return;
      } catch (error) {
        if (!this.#file.mayPass(error) || performance.now() > giveUpAt) throw error;
        await pause(retryAfterMs);
      }
    }
  }

  #tryToPutBack(key: string): void {
    const ahead = this.#ahead.get(key);
    const messages = ahead?.take(ahead.length) ?? [];
    if (ahead === undefined || messages.length === 0) return;
    try {
      this.#file.use((store) => store.putBack(key, messages));
    } catch (error) {
      ahead.keep(messages);
      throw error;
    }
    this.wake(key);
  }

  #serveAt(instant: number): void {
    if (instant >= this.#leaseTimerAt) return;
    clearTimeout(this.#leaseTimer);
    this.#leaseTimerAt = instant;
    const delayMs = Math.max(1, instant - this.#now());
    this.#leaseTimer = setTimeout(
      () => {
        this.#leaseTimerAt = Number.POSITIVE_INFINITY;
        this.#lookEverywhere();
      },
      Math.min(delayMs, longestTimerMs),
    );
    // Who waits keeps the process alive by the watcher.
    this.#leaseTimer.unref();
  }

  /** Tries again what may pass; anything else ends the waits, as nobody would ever be told otherwise. */
  #tolerant(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof LayerFileError && error.isBusy) this.#serveLater();
      else if (!this.#file.mayPass(error)) this.#failAll(error);
    }
  }

  #serveLater(): void {
    this.#retry ??= setTimeout(
      () => {
        this.#retry = undefined;
        this.#lookEverywhere();
      },
      1 + Math.random() * retryAfterMs,
    );
  }

  #failAll(error: unknown): void {
    for (const waiters of [...this.#waiters.values()]) for (const waiter of waiters) waiter.fail(error);
  }
}

interface PlainTerms {
  readonly max: number;
  readonly leaseMs?: never;
  give(messages: readonly StoredMessage[]): void;
}

interface LeaseTerms {
  readonly max: number;
  readonly leaseMs: number;
  give(messages: readonly LeasedRow[]): void;
}

type Waiter = (PlainTerms | LeaseTerms) & { fail(error: unknown): void };

function isLease<T extends PlainTerms | LeaseTerms>(waiter: T): waiter is T & LeaseTerms {
  return waiter.leaseMs !== undefined;
}

function isPlain<T extends PlainTerms | LeaseTerms>(waiter: T): waiter is T & PlainTerms {
  return waiter.leaseMs === undefined;
}

/** Gives to each as many as it takes; returns those that are left. */
function distribute<T extends StoredMessage>(messages: T[], waiters: readonly PlainTerms[]): T[] {
  for (const waiter of waiters) {
    if (messages.length === 0) break;
    waiter.give(messages.splice(0, waiter.max));
  }
  return messages;
}

function wantedBy(waiters: readonly PlainTerms[]): number {
  let wanted = 0;
  for (const waiter of waiters) {
    wanted += waiter.max;
    if (wanted >= messagesPerTake) return messagesPerTake;
  }
  return wanted;
}
