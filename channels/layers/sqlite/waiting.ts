// The receiving side of the embedded layer: who waits under which key, and when it is worth looking.

import { beatMs } from '../../beat.js';
import { LayerClosedError } from '../../errors.js';
import { type Listening, listeningTo } from '../../listening.js';
import { LayerFileError } from './errors.js';
import type { LayerFile } from './layer-file.js';
import type { LeasedRow, LeasePolicy } from './lease-store.js';
import type { MessageStore, StoredMessage } from './message-store.js';
import { WakeWatcher } from './wake-file.js';

const retryAfterMs = 5;
/** Who waits looks at each beat, and then the file may be locked by others for some more seconds. */
const lookWithinMs = beatMs + 5000;
/** Bounds what one transaction takes. */
const messagesPerTake = 500;
/** Timers go no further than this. */
const maxTimerMs = 2 ** 31 - 1;

export interface WaitingOptions {
  readonly file: LayerFile;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly policyOf: (key: string) => LeasePolicy;
}

export class Waiting {
  readonly #options: WaitingOptions;
  /** In the order in which they came. */
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** Keys under which there may be something for who waits. */
  readonly #promising = new Set<string>();
  readonly #watcher: WakeWatcher;
  #store: MessageStore | undefined;
  #dataVersion: unknown;
  /** Since when somebody has waited without a break, and when the file was last read, in ms of this process's clock. */
  #waitingSince = 0;
  #readAt: number | undefined;
  #turn: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Goes off when the first lease is over under a key on which somebody waits. */
  #leaseTimer: NodeJS.Timeout | undefined;
  #leaseTimerAt = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(options: WaitingOptions) {
    this.#options = options;
    this.#watcher = new WakeWatcher(
      options.file.path,
      () => this.#onWake(),
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
    return this.#wait<StoredMessage>(key, signal, (give) => ({ max, give }));
  }

  /** The same, but the messages come again when they are not acknowledged in time. */
  lease(key: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<readonly LeasedRow[]> {
    return this.#wait<LeasedRow>(key, signal, (give) => ({ max, leaseMs, give }));
  }

  /** What is known of the file; undefined while nobody waits under the key. */
  listening(key: string): Listening | undefined {
    if (!this.#waiters.has(key)) return undefined;
    return listeningTo(this.#waitingSince, this.#readAt, lookWithinMs);
  }

  /** Something was put under this key by this process. */
  wake(key: string): void {
    if (!this.#waiters.has(key)) return;
    this.#promising.add(key);
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      this.#serve();
    });
  }

  /** Ends all waits with LayerClosedError. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    this.#failAll(new LayerClosedError());
    clearImmediate(this.#turn);
    clearTimeout(this.#retry);
    clearTimeout(this.#leaseTimer);
    this.#watcher.close();
  }

  #wait<T>(
    key: string,
    signal: AbortSignal | undefined,
    terms: (give: (messages: readonly T[]) => void) => PlainTerms | LeaseTerms,
  ): Promise<readonly T[]> {
    if (this.#isClosed) return Promise.reject(new LayerClosedError());
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
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
      const onAbort = () => fail(signal?.reason);
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
    this.wake(key);
  }

  #forget(key: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(key);
    if (this.#waiters.size === 0) this.#watcher.release();
  }

  #onWake(): void {
    this.#tolerant(() => {
      // It may have been for what this process sent itself and has looked at.
      if (this.#hasChanged()) this.#lookEverywhere();
    });
  }

  #hasChanged(): boolean {
    const version = this.#options.file.use((store) => store === this.#store && store.dataVersion());
    if (version !== false && version === this.#dataVersion) return false;
    this.#dataVersion = version;
    return true;
  }

  #lookEverywhere(): void {
    for (const key of this.#waiters.keys()) this.#promising.add(key);
    this.#serve();
  }

  #serve(): void {
    this.#tolerant(() => {
      if (this.#waiters.size === 0) return this.#promising.clear();
      this.#options.file.use((store) => {
        this.#watch(store);
        for (const key of this.#promising) {
          this.#serveKey(store, key);
          this.#promising.delete(key);
        }
        this.#readAt = performance.now();
      });
    });
  }

  /** Watches before it looks, so that nothing falls in between. */
  #watch(store: MessageStore): void {
    if (store !== this.#store) {
      this.#store = store;
      this.#watcher.stop();
      for (const key of this.#waiters.keys()) this.#promising.add(key);
    }
    this.#watcher.start();
  }

  #serveKey(store: MessageStore, key: string): void {
    for (let waiters = this.#waiters.get(key); waiters; waiters = this.#waiters.get(key)) {
      // Looking does not write, so many who wait in vain disturb no one.
      const availableAt = store.availableAt(key);
      if (availableAt === undefined) return;
      const now = this.#options.now();
      if (availableAt > now) {
        this.#serveAt(availableAt);
        return;
      }
      const [first] = waiters;
      if (first === undefined) return;
      if (isLease(first)) this.#lend(store, key, first, now);
      else this.#give(store, key, Array.from(waiters).filter(isPlain), now);
    }
  }

  #lend(store: MessageStore, key: string, waiter: LeaseTerms, now: number): void {
    const max = Math.min(waiter.max, messagesPerTake);
    const rows = store.leases.take(key, max, waiter.leaseMs, now, this.#options.policyOf(key));
    if (rows.length > 0) waiter.give(rows);
  }

  /** Gives what waits its turn for the first time; when there is none, what others had on lease for too long. */
  #give(store: MessageStore, key: string, waiters: readonly PlainTerms[], now: number): void {
    const wanted = waiters.reduce((sum, { max }) => sum + max, 0);
    const max = Math.min(wanted, messagesPerTake);
    let messages = store.take(key, max, now);
    if (messages.length === 0) messages = store.leases.takeOver(key, max, now, this.#options.policyOf(key));
    for (const waiter of waiters) {
      if (messages.length === 0) return;
      waiter.give(messages.splice(0, waiter.max));
    }
  }

  #serveAt(instant: number): void {
    if (instant >= this.#leaseTimerAt) return;
    clearTimeout(this.#leaseTimer);
    this.#leaseTimerAt = instant;
    const delayMs = Math.max(1, instant - this.#options.now());
    this.#leaseTimer = setTimeout(
      () => {
        this.#leaseTimerAt = Number.POSITIVE_INFINITY;
        this.#lookEverywhere();
      },
      Math.min(delayMs, maxTimerMs),
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
      else if (!this.#options.file.mayPass(error)) this.#failAll(error);
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
