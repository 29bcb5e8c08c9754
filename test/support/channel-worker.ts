// A channel worker under test: on a fake clock or the real one, on a layer in whose place the test may answer.

import type { Test } from 'tap';
import {
  type Application,
  type ChannelLayer,
  type ChannelStats,
  Consumer,
  type HandledTypes,
  InMemoryChannelLayer,
  type LayerOptions,
  type Leased,
  type LeaseManyOptions,
  type Message,
  type Received,
  type ReceiveManyOptions,
  StopConsumer,
  Worker,
  type WorkerEvent,
  type WorkerOptions,
} from '../../channels/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { until } from './until.js';

export interface Numbered extends Message {
  readonly n: number;
}

type Instead = (channel: string, options: ReceiveManyOptions) => Promise<Received[]> | undefined;

/** A layer in whose place the test may answer. */
export class HookedLayer extends InMemoryChannelLayer {
  instead: Instead = () => undefined;
  /** With which each wait fails. */
  set failWith(error: Error | undefined) {
    this.instead = () => (error === undefined ? undefined : Promise.reject(error));
  }

  override receiveMany(channel: string, options: LeaseManyOptions): Promise<Leased[]>;
  override receiveMany(channel: string, options?: ReceiveManyOptions): Promise<Received[]>;
  override receiveMany(channel: string, options: ReceiveManyOptions = {}): Promise<Array<Received | Leased>> {
    return this.instead(channel, options) ?? super.receiveMany(channel, options);
  }
}

export function layerFor(t: Test, options?: LayerOptions): HookedLayer {
  const layer = new HookedLayer({ capacity: 10_000, ...options });
  t.teardown(() => layer.close());
  return layer;
}

export interface Running {
  readonly worker: Worker;
  readonly clock: ManualClock;
  readonly events: WorkerEvent[];
  /** Tells the worker to stop, and waits until it has. */
  stop(): Promise<void>;
  /** Tells it to stop and does not wait. */
  abort(): void;
  /** A second signal. */
  force(): void;
  readonly done: Promise<void>;
  stats(channel: string): ChannelStats;
  eventsOf<T extends WorkerEvent['type']>(type: T): Extract<WorkerEvent, { type: T }>[];
}

/** Runs a worker on a fake clock. When the test ends, it is told to stop at once. */
export function start(t: Test, options: Omit<WorkerOptions, 'clock' | 'onEvent' | 'random'>): Running {
  const events: WorkerEvent[] = [];
  const clock = new ManualClock();
  const worker = new Worker({ ...options, clock, random: () => 0, onEvent: (event) => events.push(event) });
  const [stopping, forcing] = [new AbortController(), new AbortController()];
  const done = worker.run(stopping.signal, forcing.signal);
  // A rejection is the business of the test that expects it.
  const settled = done.then(
    () => {},
    () => {},
  );
  t.teardown(() => {
    stopping.abort();
    forcing.abort();
    return settled;
  });
  return {
    worker,
    clock,
    events,
    done,
    stop: () => {
      stopping.abort();
      return done;
    },
    abort: () => stopping.abort(),
    force: () => forcing.abort(),
    stats: (channel) => {
      const found = worker.stats().find((stats) => stats.channel === channel);
      if (found === undefined) throw new Error(`the worker does not serve ${channel}`);
      return found;
    },
    eventsOf: <T extends WorkerEvent['type']>(type: T) =>
      events.filter((event): event is Extract<WorkerEvent, { type: T }> => event.type === type),
  };
}

/** An application that hands each message to `handle`, without a consumer. */
export function handling(handle: (message: Numbered, instance: number) => unknown): Application {
  let instances = 0;
  return async (_scope, receive) => {
    const instance = ++instances;
    for (;;) await handle((await receive()) as Numbered, instance);
  };
}

export async function sendNumbers(
  layer: ChannelLayer,
  channel: string,
  count: number,
  from = 0,
): Promise<void> {
  for (let n = from; n < from + count; n++) await layer.send(channel, { type: 'number', n });
}

/** Sends to channel `a` in such a way that the worker takes as much ahead as it may. */
export async function sendOneByOne(layer: ChannelLayer, running: Running, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await sendNumbers(layer, 'a', 1, n);
    await until('it is taken', () => running.stats('a').received === n + 1);
  }
}

/** A promise that a test resolves. */

export class Numbers extends Consumer {
  override readonly handles: HandledTypes<Message & { type: 'number' | 'stop.it' | 'pass.on' | 'inner' }> = {
    number: (received) => {
      if (typeof received.n !== 'number') throw new TypeError('expected n to be a number');
      return { type: 'number', n: received.n };
    },
    'stop.it': true,
    'pass.on': true,
    inner: true,
  };

  number() {}

  async passOn() {
    await this.send({ type: 'passed' });
  }

  stopIt() {
    throw new StopConsumer();
  }

  async inner() {
    await this.dispatch({ type: 'no.such.type' });
  }
}

/** Runs a worker by the machine's clock. */
export function runForReal(
  t: Test,
  options: WorkerOptions,
): { readonly worker: Worker; stop(): Promise<void> } {
  const worker = new Worker(options);
  const stopping = new AbortController();
  const done = worker.run(stopping.signal);
  const stop = () => {
    stopping.abort();
    return done;
  };
  t.teardown(stop);
  return { worker, stop };
}
