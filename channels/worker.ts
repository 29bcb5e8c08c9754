// The worker: listens on channels and feeds their messages to application instances.

import { once, setMaxListeners } from 'node:events';
import type { Application } from './application.js';
import { checkChannelName } from './channel-name.js';
import { type Clock, pause, systemClock } from './clock.js';
import { ChannelsError, InvalidOptionError } from './errors.js';
import type { ChannelLayer } from './layer.js';
import { checkLeasable, checkLeaseMs } from './leases.js';
import { ListenerWatch } from './serving/listener-watch.js';
import { ServedChannel } from './serving/served-channel.js';
import type { ChannelStats, WorkerEvent } from './serving/worker-events.js';
import { WaitingQueue } from './waiting/waiting-queue.js';

export interface WorkerOptions {
  readonly application: Application;
  readonly layer: ChannelLayer;
  /** The channels to listen on. */
  readonly channels: readonly string[];
  /**
   * How many messages may be in hand at once, each of another channel. A message is in hand from when the instance
   * gets it until the instance asks for the next or ends. Default: one for each channel.
   */
  readonly concurrency?: number | undefined;
  /**
   * Messages taken from the layer and not finished, for each channel: the one in hand, and those fetched in advance.
   * Without a `lease` a crash loses them all. Default: 1 for a channel without a lease, 10 for one with.
   */
  readonly prefetch?: number | undefined;
  /**
   * Milliseconds of a lease, for all channels or by the name of each. The worker extends its leases while this process
   * lives. Default: no leases, each message at most once.
   */
  readonly lease?: number | Readonly<Record<string, number>> | undefined;
  /** Milliseconds that handlers have for the taken messages after `signal` is aborted. Default 25,000. */
  readonly graceMs?: number | undefined;
  /** Receives events to log. Must not throw. */
  readonly onEvent?: ((event: WorkerEvent) => void) | undefined;
  /** Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Random numbers for the back-off. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** How long putting messages back may take when the worker ends. */
const putBackMs = 1000;

/**
 * Runs an application for each of a number of channels.
 *
 * Each channel has one instance at a time. The first message makes it, and it gets the channel's messages in order.
 * When a handler throws, the worker reports and counts the failure, and the next message makes a new instance. The next
 * message also does so after `StopConsumer`. The worker reports, counts and drops a message of unknown type, or
 * something that is not a message.
 *
 * The worker reports a listener that fails, and tries it again at growing intervals. It does the same with an
 * application that ends before it takes its message, and keeps that message. If the store does not answer for too long,
 * the listener is reported as `deaf`.
 *
 * With a `lease`, each message is handled at least once. The worker acknowledges it when its handler has returned. If
 * the handler throws, the message comes again when its lease is over; meanwhile the others go on. After the layer's
 * `maxDeliveries` it goes to the dead letters. The worker acknowledges bad messages and those of unknown type.
 *
 * When a worker is stopped, its handlers work on what it has taken, for `graceMs` at most. The rest goes back to the
 * channel. When a worker is killed, its leased messages come again after at most `lease` ms.
 *
 * Source: django/channels channels/worker.py.
 * @example
 * const worker = new Worker({ application, layer, channels: ['linod_mysite'], onEvent: log });
 * await worker.run(signal);
 */
export class Worker {
  readonly #channels: readonly ServedChannel[];
  readonly #graceMs: number;
  readonly #clock: Clock;
  readonly #report: (event: WorkerEvent) => void;
  readonly #watch: ListenerWatch | undefined;
  #hasRun = false;

  /** @throws InvalidOptionError, InvalidNameError */
  constructor(options: WorkerOptions) {
    const names = [...new Set(options.channels)].map(checkChannelName);
    if (names.length === 0) throw new InvalidOptionError('channels', 'at least one channel', 'none');
    const clock = options.clock ?? systemClock;
    const report = (event: WorkerEvent) => options.onEvent?.(event);
    const slots = new WaitingQueue<true>();
    const concurrency = positive('concurrency', options.concurrency ?? names.length);
    for (let i = 0; i < Math.min(concurrency, names.length); i++) slots.put(true);
    const shared = {
      application: options.application,
      layer: options.layer,
      slots,
      clock,
      random: options.random ?? Math.random,
      report,
    };
    this.#channels = names.map((name) => {
      const { lease } = options;
      const leaseMs = checkLease(typeof lease === 'object' ? lease[name] : lease, options.layer, name);
      const prefetch = positive('prefetch', options.prefetch ?? (leaseMs === undefined ? 1 : 10));
      return new ServedChannel(name, { ...shared, leaseMs, prefetch });
    });
    this.#graceMs = notNegative('graceMs', options.graceMs ?? 25_000);
    this.#clock = clock;
    this.#report = report;
    if (options.layer.listening !== undefined)
      this.#watch = new ListenerWatch({ listeners: this.#channels, clock, report });
  }

  /** How each channel is doing, in the order in which they were given. */
  stats(): readonly ChannelStats[] {
    return this.#channels.map((channel) => channel.stats());
  }

  /**
   * Serves the channels until `signal`. Then it takes no more messages, lets the handlers finish those that were taken,
   * and resolves. When `graceMs` is over, or at `force`, it reports handlers that still run and does not wait for them
   * any longer. It puts back messages that no handler has begun. Call it once.
   *
   * @throws LayerClosedError, ForeignChannelError when a channel cannot be listened on, after the same drain
   */
  async run(signal: AbortSignal, force?: AbortSignal): Promise<void> {
    if (this.#hasRun)
      throw new ChannelsError('CHANNELS_ERR_WORKER_HAS_RUN', 'a worker runs once; make another');
    this.#hasRun = true;
    const stopping = new AbortController();
    // Every channel listens to it, and Node warns of more than ten.
    setMaxListeners(0, stopping.signal);
    const stop = () => stopping.abort();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();

    let fatal: unknown;
    const onFatal = (error: unknown) => {
      fatal ??= error;
      stop();
    };
    const served = this.#serveAll(stopping.signal, onFatal);
    const watched = this.#watch?.run(stopping.signal).catch(onFatal);
    if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
    await watched;
    signal.removeEventListener('abort', stop);
    this.#report({ type: 'draining', messages: this.#unfinished() });
    await this.#withinGrace(served, force);
    const patience = AbortSignal.timeout(putBackMs);
    await Promise.all(this.#channels.map((channel) => channel.end(patience)));
    if (fatal !== undefined) throw fatal;
  }

  /** Resolves when all channels have ended; never rejects. */
  async #serveAll(stopping: AbortSignal, onFatal: (error: unknown) => void): Promise<void> {
    let notWaiting = this.#channels.length;
    const onWaiting = () => {
      if (--notWaiting > 0) return;
      this.#report({ type: 'listening', channels: this.#channels.map(({ channel }) => channel) });
    };
    const parts = this.#channels.flatMap((channel) => [
      channel.listen(stopping, onWaiting),
      channel.serve(stopping),
    ]);
    await Promise.all(parts.map((part) => part.catch(onFatal)));
  }

  async #withinGrace(served: Promise<void>, force: AbortSignal | undefined): Promise<void> {
    const done = new AbortController();
    const enough = force === undefined ? done.signal : AbortSignal.any([done.signal, force]);
    await Promise.race([served, pause(this.#clock, this.#graceMs, enough)]);
    done.abort();
  }

  #unfinished(): number {
    const counts = this.stats().map(({ prefetched, handling }) => prefetched + (handling ? 1 : 0));
    return counts.reduce((sum, count) => sum + count, 0);
  }
}

function checkLease(lease: number | undefined, layer: ChannelLayer, channel: string): number | undefined {
  if (lease === undefined) return undefined;
  if (!layer.extensions.has('lease'))
    throw new InvalidOptionError('lease', 'left out: the channel layer has no leases', lease);
  checkLeasable(channel);
  return checkLeaseMs('lease', lease);
}

function positive(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidOptionError(option, 'a positive whole number', value);
}

function notNegative(option: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InvalidOptionError(option, 'a number of milliseconds', value);
}
