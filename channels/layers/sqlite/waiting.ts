// The receivers of the embedded layer, by key. It serves them when the wake file changes, when this process
// sends, when a lease ends, and at every beat.

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

/** The longest delay before another try on a locked file. */
const retryWithinMs = 5;
/** The poll interval on systems that cannot watch files. */
const unwatchedPollMs = 100;
/** A waiter polls at every beat; then the file may be locked for some seconds. */
const readWithinMs = 10_000;
/** The most messages in one transaction. */
const messagesPerTake = 500;

export interface WaitingOptions extends LayerRules {
  readonly file: LayerFile;
}

export class Waiting {
  readonly #options: WaitingOptions;
  /** By key, in order of arrival. */
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** The store whose wake file is watched. */
  #store: MessageStore | undefined;
  #watcher: FSWatcher | undefined;
  #turn: NodeJS.Immediate | undefined;
  /** The timer of the next poll. It keeps the process alive while somebody waits. */
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  /** The start of the current wait and the last read, in milliseconds of `performance.now`. */
  #waitingSince = 0;
  #readAt: number | undefined;
  #isClosed = false;

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /**
   * Waits for at least one message of a key, and takes at most `max`. Taking and handing over is one step, so
   * an abort loses nothing. A waiting call keeps the process alive.
   *
   * @throws LayerFileError when the file is beyond use; what may pass is waited through. LayerClosedError;
   *   the signal's reason
   */
  take(key: string, max: number, signal?: AbortSignal): Promise<readonly StoredMessage[]> {
    const limit = Math.min(max, messagesPerTake);
    return this.#wait<StoredMessage>(key, signal, (store, now) => {
      const messages = store.take(key, limit, now);
      if (messages.length > 0) return messages;
      return store.leases.takeOver(key, limit, now, this.#options);
    });
  }

  /** Like `take`, with a lease: unacknowledged messages are delivered again. */
  lease(key: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<readonly LeasedRow[]> {
    const limit = Math.min(max, messagesPerTake);
    return this.#wait<LeasedRow>(key, signal, (store, now) =>
      store.leases.take(key, limit, leaseMs, now, this.#options),
    );
  }

  /** What is known of the file; undefined while nobody waits on the key. */
  listening(key: string): Listening | undefined {
    if (!this.#waiters.has(key)) return undefined;
    return listeningTo(this.#waitingSince, this.#readAt, readWithinMs);
  }

  /** Called when this process has added a message under the key. */
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
      // The next poll tries again after a temporary error. The waiters get any other error.
      if (error instanceof LayerFileError && error.isBusy) this.#pollIn(1 + Math.random() * retryWithinMs);
      else if (!this.#options.file.mayPass(error)) this.#failAll(error);
    }
    this.#pollIn(this.#watcher === undefined ? unwatchedPollMs : untilBeat(Date.now()));
  }

  #serveKey(store: MessageStore, key: string): void {
    for (let waiters = this.#waiters.get(key); waiters; waiters = this.#waiters.get(key)) {
      // Only reads, so that many waiters on empty keys disturb nobody.
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

  /**
   * Polls after `delayMs` or earlier. While nobody waits, the poll only ends the watch, since somebody
   * usually waits again soon.
   */
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

  /** Starts to watch before it reads, so that no message is missed. */
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
      // The system has no watches, or no more of them. Poll more often; each poll tries to watch again.
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
  /** Gives the waiter the available messages. */
  serve(store: MessageStore, now: number): void;
  fail(error: unknown): void;
}
