// The writer of the embedded layer. All writes of one turn of the event loop are one transaction.

import { LayerClosedError } from '../../errors.js';
import { abortable } from '../../waiting/abortable.js';
import { LayerFileError } from './errors.js';
import type { LayerFile } from './layer-file.js';
import type { MessageStore } from './store.js';

const retryAfterMs = 10;
/** Bounds the time for which a transaction holds the lock and blocks the event loop. */
const writesPerTransaction = 500;
const sweepEveryMs = 5000;
/** The interval while there are free pages to give back. */
const sweepAgainMs = 200;

export interface WriterOptions {
  readonly file: LayerFile;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds until a message of a key expires. */
  readonly expiryMsOf: (key: string) => number;
  /** Milliseconds for which a write is tried again on a locked file. Default 5,000. */
  readonly patienceMs?: number;
}

export class Writer {
  readonly #options: WriterOptions;
  readonly #queue = new Set<Write>();
  #turn: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #sweepAgain: NodeJS.Timeout | undefined;
  #busySince: number | undefined;
  #nextSweepAt = 0;
  #isClosed = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` in a transaction with the other writes of this turn, in order. Resolves with its result after
   * the commit. It may run `work` more than once, since it tries again on a locked file.
   *
   * @throws LayerFileError; LayerClosedError; the signal's reason, and then nothing was written
   */
  add<T>(work: (store: MessageStore) => T, signal?: AbortSignal): Promise<T> {
    if (this.#isClosed) return Promise.reject(new LayerClosedError());
    return abortable<T>(signal, (wait) => {
      const attempt: Write['attempt'] = (store) => {
        const result = work(store);
        return () => wait.resolve(result);
      };
      const write = { attempt, fail: wait.reject };
      this.#queue.add(write);
      this.#schedule();
      return () => this.#queue.delete(write);
    });
  }

  /** Writes pending messages unless the file is locked, and refuses the rest. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    while (this.#queue.size > 0) {
      const before = this.#queue.size;
      this.#run();
      if (this.#queue.size === before) break;
    }
    clearTimeout(this.#retry);
    clearTimeout(this.#sweepAgain);
    clearImmediate(this.#turn);
    for (const write of this.#queue) write.fail(new LayerClosedError());
  }

  #schedule(): void {
    if (this.#retry !== undefined) return;
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      this.#run();
    });
  }

  #run(): void {
    const batch = [...this.#queue].slice(0, writesPerTransaction);
    if (batch.length === 0) return;
    try {
      for (const settle of this.#commit(batch)) settle();
      this.#busySince = undefined;
    } catch (error) {
      if (error instanceof LayerFileError && error.isBusy && this.#hasPatience()) {
        this.#runLater();
        return;
      }
      this.#busySince = undefined;
      for (const write of batch) write.fail(error);
    }
    if (this.#queue.size > 0) this.#schedule();
  }

  #commit(batch: readonly Write[]): ReadonlyArray<() => void> {
    const { file, expiryMsOf } = this.#options;
    const now = this.#options.now();
    // Also sweeps after the clock was set back.
    const sweeps = now >= this.#nextSweepAt || now < this.#nextSweepAt - sweepEveryMs;
    return file.use((store) => {
      let isMoreFree = false;
      const settlements = store.atomically(() => {
        if (sweeps) isMoreFree = store.sweep(now, expiryMsOf);
        return batch.map((write) => write.attempt(store));
      });
      if (!sweeps) return settlements;
      this.#nextSweepAt = isMoreFree ? now : now + sweepEveryMs;
      if (isMoreFree) this.#sweepSoon();
      boundWal(store);
      return settlements;
    });
  }

  #sweepSoon(): void {
    clearTimeout(this.#sweepAgain);
    // The next write reports the failure.
    const sweep = () => void this.add(() => undefined).catch(() => undefined);
    this.#sweepAgain = setTimeout(sweep, sweepAgainMs).unref();
  }

  #hasPatience(): boolean {
    const { patienceMs = 5000 } = this.#options;
    const now = performance.now();
    this.#busySince ??= now;
    return !this.#isClosed && now - this.#busySince < patienceMs;
  }

  #runLater(): void {
    // A random delay, so that processes that collided do not collide again.
    this.#retry ??= setTimeout(
      () => {
        this.#retry = undefined;
        this.#run();
      },
      1 + Math.random() * retryAfterMs,
    );
  }
}

/** The messages are committed, so an error here must not fail their sends. */
function boundWal(store: MessageStore): void {
  try {
    store.boundWal();
  } catch {
    // The next sweep tries again.
  }
}

interface Write {
  /** Runs the write. Call the result after the commit; it resolves the promise. */
  attempt(store: MessageStore): () => void;
  fail(error: unknown): void;
}
