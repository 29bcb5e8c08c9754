// The receiving side of the embedded layer: who waits under which key. All of them are served when the wake file was
// written, when this process has sent something itself, when a lease is over, and at every beat.

import { type FSWatcher, watch } from 'node:fs';
import { LayerClosedError } from '../../errors.js';
import { type Listening, listeningTo } from '../../serving/listening.js';
import { abortable, type Wait } from '../../waiting/abortable.js';
import { untilBeat } from '../../waiting/beat.js';
import type { LayerRules } from '../base-layer.js';
import { LayerFileError } from './errors.js';
import type { LayerFile } from './layer-file.js';
import type { LeasedRow } from './lease-store.js';
import type { MessageStore } from './store.js';
import type { StoredMessage } from './stored-message.js';
import { wakeFilePath } from './wake-file.js';

/** The longest pause before a locked file is tried again. */
const retryWithinMs = 5;
/** Between two polls, where the system cannot watch files. */
const unwatchedPollMs = 100;
/** Who waits polls at each beat, and then the file may be locked by others for some more seconds. */
const readWithinMs = 10_000;
/** Bounds what one transaction takes. */
const messagesPerTake = 500;

export interface WaitingOptions extends LayerRules {
  readonly file: LayerFile;
}

export class Waiting {
  readonly #options: WaitingOptions;
  /** By key, in the order in which they came. */
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** The file that is open, whose wake file is watched; undefined when none is. */
  #store: MessageStore | undefined;
  #watcher: FSWatcher | undefined;
  #turn: NodeJS.Immediate | undefined;
  /** Of the next poll. It keeps the process alive while somebody waits. */
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  /** Since when somebody has waited without a break, and when the file was last read, in ms of this process's clock. */
  #waitingSince = 0;
  #readAt: number | undefined;
  #isClosed = false;

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /**
   * Takes the next messages from under a key, between one and `max`, waiting for the first. Taking and handing over
   * is one step, so an abort loses nothing. A pending call keeps the process alive.
   *
   * @throws LayerFileError when the file is beyond use; what may pass is waited through. LayerClosedError; the
   *   signal's reason
   */
  take(key: string, max: number, signal?: AbortSignal): Promise<readonly StoredMessage[]> {
    const limit = Math.min(max, messagesPerTake);
    return this.#wait<StoredMessage>(key, signal, (store, now) => {
      const messages = store.take(key, limit, now);
      if (messages.length > 0) return messages;
      return store.leases.takeOver(key, limit, now, this.#options);
    });
  }

  /** The same, but the messages come again when they are not acknowledged in time. */
  lease(key: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<readonly LeasedRow[]> {
    const limit = Math.min(max, messagesPerTake);
    return this.#wait<LeasedRow>(key, signal, (store, now) =>
      store.leases.take(key, limit, leaseMs, now, this.#options),
    );
  }

  /** What is known of the file; undefined while nobody waits under the key. */
  listening(key: string): Listening | undefined {
    if (!this.#waiters.has(key)) return undefined;
    return listeningTo(this.#waitingSince, this.#readAt, readWithinMs);
  }

  /** Something was put under this key by this process. */
  wake(key: string): void {
    if (this.#waiters.has(key)) this.#serveSoon();
  }

  /** Ends all waits with LayerClosedError. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    this.#failAll(new LayerClosedError());
    clearImmediate(this.#turn);
    clearTimeout(this.#timer);
    this.#unwatch();
  }

  #wait<T>(
    key: string,
    signal: AbortSignal | undefined,
    take: (store: MessageStore, now: number) => readonly T[],
  ): Promise<readonly T[]> {
    if (this.#isClosed) return Promise.reject(new LayerClosedError());
    return abortable<readonly T[]>(signal, (wait: Wait<readonly T[]>) => {
      const serve: Waiter['serve'] = (store, now) => {
        const taken = take(store, now);
        if (taken.length > 0) wait.resolve(taken);
      };
      const waiter = { serve, fail: wait.reject };
      this.#enlist(key, waiter);
      return () => this.#forget(key, waiter);
    });
  }

  #enlist(key: string, waiter: Waiter): void {
    if (this.#waiters.size === 0) this.#waitingSince = performance.now();
    const waiters = this.#waiters.get(key) ?? new Set();
    this.#waiters.set(key, waiters.add(waiter));
    this.#timer?.ref();
    this.#serveSoon();
  }

  #forget(key: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(key);
    if (this.#waiters.size === 0) this.#timer?.unref();
  }

  #serveSoon(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      this.#serveAll();
    });
  }

  #serveAll(): void {
    if (this.#waiters.size === 0) return;
    try {
      this.#options.file.use((store) => {
        this.#watch(store);
        for (const key of [...this.#waiters.keys()]) this.#serveKey(store, key);
      });
      this.#readAt = performance.now();
    } catch (error) {
      // What may pass is tried again at the next poll; of anything else nobody would ever be told otherwise.
      if (error instanceof LayerFileError && error.isBusy) this.#pollIn(1 + Math.random() * retryWithinMs);
      else if (!this.#options.file.mayPass(error)) this.#failAll(error);
    }
    this.#pollIn(this.#watcher === undefined ? unwatchedPollMs : untilBeat(Date.now()));
  }

  #serveKey(store: MessageStore, key: string): void {
    for (let waiters = this.#waiters.get(key); waiters; waiters = this.#waiters.get(key)) {
      // This does not write, so many who wait in vain disturb no one.
      const availableAt = store.availableAt(key);
      if (availableAt === undefined) return;
      const now = this.#options.now();
      if (availableAt > now) {
        this.#pollIn(availableAt - now);
        return;
      }
      const [first] = waiters;
      first?.serve(store, now);
    }
  }

  /** Polls after that time, or before. While nobody waits the poll only ends the watch, as mostly someone soon will. */
  #pollIn(delayMs: number): void {
    const at = performance.now() + delayMs;
    if (this.#isClosed || (this.#timer !== undefined && this.#timerAt <= at)) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        if (this.#waiters.size > 0) this.#serveAll();
        else this.#unwatch();
      },
      Math.max(1, delayMs),
    );
    if (this.#waiters.size === 0) this.#timer.unref();
  }

  /** Watches before anything is read, so that nothing falls in between. */
  #watch(store: MessageStore): void {
    if (store !== this.#store) this.#unwatch();
    this.#store = store;
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(wakeFilePath(this.#options.file.path), { persistent: false }, () => {
        if (this.#waiters.size > 0) this.#serveSoon();
      });
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      // No more watches allowed, or a system without them: the polls go quicker, and each tries again.
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #failAll(error: unknown): void {
    for (const waiters of [...this.#waiters.values()]) for (const waiter of waiters) waiter.fail(error);
  }
}

interface Waiter {
  /** Hands it what there is. */
  serve(store: MessageStore, now: number): void;
  fail(error: unknown): void;
}
