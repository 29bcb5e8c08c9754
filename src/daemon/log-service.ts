// The logger coroutine of a site, in whichever of its workers holds the lease.

import {
  type ChannelLayer,
  type ChannelStats,
  Consumer,
  Worker,
  type WorkerEvent,
} from '../../channels/index.js';
import { LogConsumer } from '../consumers/log.js';
import type { LoggerCoroutine } from '../log/logger-coroutine.js';
import type { Lease } from '../membership/lease.js';

export interface LogServiceOptions {
  readonly coroutine: LoggerCoroutine;
  readonly lease: Lease;
  readonly layer: ChannelLayer;
  /** The log's channel, `linod_mysite.log`. */
  readonly channel: string;
  readonly onEvent: (event: WorkerEvent) => void;
}

/** Log batches are taken in numbers: the writer gathers what has come during a write. */
const prefetch = 64;

/** off: not ordered; standby: another worker writes the log; starting: this one is about to; writing: this one does. */
export type LogServiceState = 'off' | 'standby' | 'starting' | 'writing';

/**
 * Ordered once, it tries for the lease at every beat. With the lease it listens on the log's channel and writes;
 * without it, it does neither.
 */
export class LogService {
  readonly #options: LogServiceOptions;
  #ordered = false;
  #listening: {
    readonly worker: Worker;
    readonly stop: AbortController;
    readonly done: Promise<void>;
  } | null = null;
  #beat: Promise<void> = Promise.resolve();

  constructor(options: LogServiceOptions) {
    this.#options = options;
  }

  get state(): LogServiceState {
    if (this.#listening !== null) return 'writing';
    if (!this.#ordered) return 'off';
    return this.#options.lease.held ? 'starting' : 'standby';
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
    const done = this.#beat.then(() => this.#step());
    this.#beat = done.catch(() => undefined);
    return done;
  }

  /** Writes what was received, and gives the lease back. */
  async stop(): Promise<void> {
    this.#ordered = false;
    await this.#beat;
    await this.#silence();
    await this.#options.lease.release();
  }

  async #step(): Promise<void> {
    if (!this.#ordered) return;
    const isMine = await this.#options.lease.acquire();
    if (isMine && this.#listening === null) await this.#listen();
    else if (!isMine) await this.#silence();
  }

  async #listen(): Promise<void> {
    const { coroutine, layer, channel, onEvent } = this.#options;
    await coroutine.start();
    const stop = new AbortController();
    const worker = new Worker({
      application: Consumer.application(() => new LogConsumer((request) => coroutine.accept(request))),
      layer,
      channels: [channel],
      prefetch,
      onEvent,
    });
    // The worker reports its troubles as events; it rejects when the layer is closed, which ends the process's work.
    const done = worker.run(stop.signal).catch(() => undefined);
    this.#listening = { worker, stop, done };
  }

  async #silence(): Promise<void> {
    const listening = this.#listening;
    if (listening === null) return;
    listening.stop.abort();
    await listening.done;
    await this.#options.coroutine.stop();
    this.#listening = null;
  }
}
