// The logger coroutine of a site. It writes in the worker that owns both the lease and the lock of the file.

import {
  type ChannelLayer,
  type ChannelStats,
  Consumer,
  Worker,
  type WorkerEvent,
} from '../../channels/index.js';
import type { Clock } from '../base/clock.js';
import { LogConsumer } from '../consumers/log.js';
import type { LogLock } from '../log/writer/log-lock.js';
import type { LoggerCoroutine } from '../log/writer/logger-coroutine.js';
import type { Lease } from '../membership/lease.js';

export interface LogServiceOptions {
  readonly coroutine: LoggerCoroutine;
  /** Decides, for all machines, which worker is to write. */
  readonly lease: Lease;
  /** Sees to it that no other process of this machine does. */
  readonly lock: LogLock;
  readonly layer: ChannelLayer;
  /** The log's channel, `linod_mysite.log`. */
  readonly channel: string;
  readonly clock: Clock;
  readonly onEvent: (event: WorkerEvent) => void;
  /** Called once when this worker should write but cannot, and with undefined when it can again. */
  readonly onBlocked: (why: unknown) => void;
  /** Called when it begins to write, and when writing begins or ceases to fail. */
  readonly onChange: () => void;
}

/** Log batches are taken in numbers: the writer gathers what has come during a write. */
const prefetch = 64;
/** How often a standby worker polls the writer's lock. */
const pollMs = 500;
/** A poll takes the lock for a moment, so report the first conflict only when it lasts. */
const pollsBeforeReport = 3;

/**
 * off: not started; standby: another worker writes the log; blocked: this worker should, but another process
 * locks the file; starting: this worker is about to write; writing: this worker writes.
 */
export type LogServiceState = 'off' | 'standby' | 'blocked' | 'starting' | 'writing';

/**
 * Once started, it tries to take the lease at every beat. With the lease and the lock it listens on the log's
 * channel and writes; without both it does neither.
 *
 * The lease is a row of the database. It expires when its owner is suspended or cannot reach the database.
 * The lock is the kernel's, and no process writes without it. So two workers may own the lease in their own
 * view, but only one writes.
 *
 * Between the beats, a standby worker polls the lock. When the lock is free and its last owner has the lease,
 * that worker has died: the standby takes over without waiting for the lease to expire.
 */
export class LogService {
  readonly #options: LogServiceOptions;
  #ordered = false;
  #listening: {
    readonly worker: Worker;
    readonly stop: AbortController;
    readonly done: Promise<void>;
  } | null = null;
  #step: Promise<void> = Promise.resolve();
  #cancelPoll: () => void = () => undefined;
  #blocked: { readonly why: unknown; readonly polls: number } | null = null;
  #trouble: unknown;

  constructor(options: LogServiceOptions) {
    this.#options = options;
  }

  get state(): LogServiceState {
    if (this.#listening !== null) return 'writing';
    if (!this.#ordered) return 'off';
    if (this.#blocked !== null) return 'blocked';
    return this.#options.lease.held ? 'starting' : 'standby';
  }

  /** Why this worker does not write although it is to; null when there is nothing of the kind. */
  get blockedBy(): string | null {
    const why = this.#blocked === null ? this.#trouble : this.#blocked.why;
    return why === undefined ? null : textOf(why);
  }

  /** Why the file cannot be written; undefined when it can again. */
  noteTrouble(why: unknown): void {
    this.#trouble = why;
    this.#options.onChange();
  }

  /** How the log's channel is doing, while this worker listens on it. */
  stats(): readonly ChannelStats[] {
    return this.#listening?.worker.stats() ?? [];
  }

  /** Begins to want the log. Safe to call again. */
  async start(): Promise<void> {
    this.#ordered = true;
    await this.beat();
  }

  /** Renews the lease or tries for it. To be called several times within the life of a lease. */
  beat(): Promise<void> {
    return this.#then(async () => {
      if (!this.#ordered) return;
      if (!(await this.#options.lease.acquire())) await this.#silence();
      else if (this.#listening === null) await this.#tryToWrite();
      this.#lookLater();
    });
  }

  /** Writes what was received, and gives lock and lease back. */
  async stop(): Promise<void> {
    this.#ordered = false;
    this.#cancelPoll();
    await this.#then(() => this.#silence());
    await this.#options.lease.release();
  }

  #lookLater(): void {
    this.#cancelPoll();
    if (this.#listening !== null || !this.#ordered) return;
    this.#cancelPoll = this.#options.clock.after(pollMs, () => {
      this.#then(() => this.#pollLock())
        // The next beat logs that the database is away.
        .catch(() => undefined)
        .finally(() => this.#lookLater());
    });
  }

  async #pollLock(): Promise<void> {
    if (!this.#ordered || this.#listening !== null) return;
    if (this.#options.lease.held) await this.#tryToWrite();
    else await this.#succeed();
  }

  /** Takes over from a writer that died. */
  async #succeed(): Promise<void> {
    const { lease, lock } = this.#options;
    try {
      if (lease.owner === null || lock.lastOwner()?.name !== lease.owner || !lock.take()) return;
      if (await lease.acquire(lease.owner)) await this.#listen();
    } finally {
      if (this.#listening === null) lock.release();
    }
  }

  async #tryToWrite(): Promise<void> {
    const { lock } = this.#options;
    try {
      lock.ensure();
    } catch (error) {
      this.#noteBlocked(error);
      return;
    }
    try {
      await this.#listen();
    } finally {
      if (this.#listening === null) lock.release();
    }
  }

  async #listen(): Promise<void> {
    const { coroutine, layer, channel, lock, onEvent } = this.#options;
    lock.recordOwner();
    await coroutine.start();
    const stop = new AbortController();
    const worker = new Worker({
      application: Consumer.application(() => new LogConsumer((request) => coroutine.accept(request))),
      layer,
      channels: [channel],
      prefetch,
      onEvent,
    });
    // The worker reports its troubles as events; it rejects when the layer is closed, which ends the
    // process's work.
    const done = worker.run(stop.signal).catch(() => undefined);
    this.#listening = { worker, stop, done };
    this.#noteBlocked(undefined);
    this.#options.onChange();
  }

  async #silence(): Promise<void> {
    this.#noteBlocked(undefined);
    const listening = this.#listening;
    if (listening === null) return;
    listening.stop.abort();
    await listening.done;
    await this.#options.coroutine.stop();
    this.#listening = null;
    this.#trouble = undefined;
    this.#options.lock.release();
  }

  #noteBlocked(why: unknown): void {
    const polls = this.#blocked?.polls ?? 0;
    this.#blocked = why === undefined ? null : { why, polls: polls + 1 };
    if (why !== undefined && polls + 1 === pollsBeforeReport) this.#options.onBlocked(why);
    if (why === undefined && polls >= pollsBeforeReport) this.#options.onBlocked(undefined);
  }

  /** One step after the other. */
  #then(step: () => Promise<void>): Promise<void> {
    const done = this.#step.then(step);
    this.#step = done.catch(() => undefined);
    return done;
  }
}

function textOf(why: unknown): string {
  return `lino.log cannot be written: ${why instanceof Error ? why.message : String(why)}`;
}
