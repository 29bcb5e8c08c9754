// The worker: listens on channels and passes their messages to application instances.

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
   * How many channels may handle a message at the same time. Handling begins when the instance gets the
   * message, and ends when the instance asks for the next one or ends. Default: all channels.
   */
  readonly concurrency?: number | undefined;
  /**
   * How many unfinished messages each channel holds: the one in hand and those behind it. Without a `lease` a
   * crash loses them. Default: 1 for a channel without a lease, 10 for one with a lease.
   */
  readonly prefetch?: number | undefined;
  /**
   * Milliseconds of a message's lease, for all channels or by channel name. The worker extends the leases
   * while this process lives. Default: no leases, so that each message is delivered at most once.
   */
  readonly lease?: number | Readonly<Record<string, number>> | undefined;
  /** Milliseconds that handlers have to finish after the stop signal. Default 25,000. */
  readonly graceMs?: number | undefined;
  /** Called with each event that is worth a log line. Must not throw. */
  readonly onEvent?: ((event: WorkerEvent) => void) | undefined;
  /** Default: the clock of this machine. */
  readonly clock?: Clock | undefined;
  /** Random numbers for the back-off. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** The worker waits at most this long for messages to be put back when it ends. */
const putBackMs = 1000;

/**
 * Runs one application on several channels.
 *
 * Each channel has at most one application instance. The first message creates it; it gets the channel's
 * messages in order. The worker reports each of these failures and goes on. A closed
 * layer or a foreign channel stops it:
 *
 * | failure | the worker |
 * | --- | --- |
 * | a handler throws | counts it; the next message creates a new instance |
 * | a message has an unknown type, or is malformed | counts it and drops the message |
 * | the application ends without taking its message | starts it again with that message, after a growing delay |
 * | the layer's `receive` fails | tries again after a growing delay |
 * | the layer's store does not answer in time | reports the channel as deaf |
 *
 * `StopConsumer` ends an instance without a failure.
 *
 * With a `lease`, the layer delivers a message until a handler returns, the worker drops it, or
 * `maxDeliveries` is reached. The worker acknowledges a message when its handler
 * returns, and also when it drops the message. When a handler throws, the layer delivers the message again
 * after its lease; meanwhile the other messages go on. After `maxDeliveries` the message becomes a dead
 * letter.
 *
 * When a worker stops, its handlers have `graceMs` for the messages it holds; the rest goes back to the
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

  /** Returns the state and the counts of each channel, in the order of the option `channels`. */
  stats(): readonly ChannelStats[] {
    return this.#channels.map((channel) => channel.stats());
  }

  /**
   * Serves the channels until `signal`. Then it takes no more messages and waits for the handlers of those it
   * holds. After `graceMs`, or at `force`, it reports the handlers that still run, puts unstarted messages
   * back and resolves. Call it once.
   *
   * @throws LayerClosedError, ForeignChannelError when it cannot listen on a channel; it drains first
   */
  async run(signal: AbortSignal, force?: AbortSignal): Promise<void> {
    if (this.#hasRun)
      throw new ChannelsError('CHANNELS_ERR_WORKER_HAS_RUN', 'a worker runs once: create a new one');
    this.#hasRun = true;
    const stopping = new AbortController();
    // Every channel adds listeners to this signal, and Node warns when there are more than ten.
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
    const putBackLimit = AbortSignal.timeout(putBackMs);
    await Promise.all(this.#channels.map((channel) => channel.end(putBackLimit)));
    if (fatal !== undefined) throw fatal;
  }

  /** Resolves when all channels have ended; never rejects. */
  async #serveAll(stopping: AbortSignal, onFatal: (error: unknown) => void): Promise<void> {
    let notListening = this.#channels.length;
    const onListening = () => {
      if (--notListening > 0) return;
      this.#report({ type: 'listening', channels: this.#channels.map(({ channel }) => channel) });
    };
    const loops = this.#channels.flatMap((channel) => [
      channel.listen(stopping, onListening),
      channel.serve(stopping),
    ]);
    await Promise.all(loops.map((loop) => loop.catch(onFatal)));
  }

  /** Waits for the channels to end, but not longer than the grace, and not after `force`. */
  async #withinGrace(served: Promise<void>, force: AbortSignal | undefined): Promise<void> {
    const done = new AbortController();
    const endOfWait = force === undefined ? done.signal : AbortSignal.any([done.signal, force]);
    await Promise.race([served, pause(this.#clock, this.#graceMs, endOfWait)]);
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
    throw new InvalidOptionError('lease', 'omitted: the channel layer has no leases', lease);
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
