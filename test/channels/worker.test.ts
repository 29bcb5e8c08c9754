import t, { type Test } from 'tap';
import {
  type Application,
  type ChannelLayer,
  type ChannelStats,
  Consumer,
  type Extension,
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
import { Random } from '../support/random.js';
import { turns, until } from '../support/until.js';

interface Numbered extends Message {
  readonly n: number;
}

type Instead = (channel: string, options: ReceiveManyOptions) => Promise<Received[]> | undefined;

/** A layer in whose place the test may answer. */
class HookedLayer extends InMemoryChannelLayer {
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

function layerFor(t: Test, options?: LayerOptions): HookedLayer {
  const layer = new HookedLayer({ capacity: 10_000, ...options });
  t.teardown(() => layer.close());
  return layer;
}

interface Running {
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
function start(t: Test, options: Omit<WorkerOptions, 'clock' | 'onEvent' | 'random'>): Running {
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
function handling(handle: (message: Numbered, instance: number) => unknown): Application {
  let instances = 0;
  return async (_scope, receive) => {
    const instance = ++instances;
    for (;;) await handle((await receive()) as Numbered, instance);
  };
}

async function sendNumbers(layer: ChannelLayer, channel: string, count: number, from = 0): Promise<void> {
  for (let n = from; n < from + count; n++) await layer.send(channel, { type: 'number', n });
}

/** Sends to channel `a` in such a way that the worker takes as much ahead as it may. */
async function sendOneByOne(layer: ChannelLayer, running: Running, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await sendNumbers(layer, 'a', 1, n);
    await until('it is taken', () => running.stats('a').received === n + 1);
  }
}

/** A promise that a test resolves. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

t.test('each channel has one instance, which is given its messages in order', async (t) => {
  const layer = layerFor(t);
  const scopes: unknown[] = [];
  const got: Record<string, number[]> = { a: [], b: [] };
  const application: Application = async (scope, receive) => {
    scopes.push(scope);
    for (;;) got[scope.channel ?? '']?.push(((await receive()) as Numbered).n);
  };
  const running = start(t, { application, layer, channels: ['a', 'b', 'a'] });
  for (let n = 0; n < 100; n++) await sendNumbers(layer, n % 3 === 0 ? 'a' : 'b', 1, n);
  await until('all is handled', () => running.stats('a').handled + running.stats('b').handled === 100);
  await running.stop();
  const all = Array.from({ length: 100 }, (_, n) => n);
  t.same(got, { a: all.filter((n) => n % 3 === 0), b: all.filter((n) => n % 3 !== 0) });
  t.same(scopes, [
    { type: 'channel', channel: 'a' },
    { type: 'channel', channel: 'b' },
  ]);
  t.same(
    running.events.map((event) => event.type),
    ['listening', 'draining'],
  );
});

t.test('listening is told when every channel is waited on', async (t) => {
  const layer = layerFor(t);
  const asked: string[] = [];
  layer.instead = (channel) => {
    asked.push(channel);
    return undefined;
  };
  const askedWhenTold: number[] = [];
  const worker = new Worker({
    application: handling(() => {}),
    layer,
    channels: ['a', 'b', 'c'],
    onEvent: (event) => event.type === 'listening' && askedWhenTold.push(asked.length),
  });
  const stopping = new AbortController();
  const done = worker.run(stopping.signal);
  await until('it listens', () => askedWhenTold.length > 0);
  await sendNumbers(layer, 'a', 3);
  await turns();
  stopping.abort();
  await done;
  t.same(askedWhenTold, [3], 'once');
});

t.test('a slow handler holds up its own channel and no other', async (t) => {
  const layer = layerFor(t);
  const slow = gate();
  const application: Application = async (scope, receive) => {
    for (;;) {
      await receive();
      if (scope.channel === 'slow') await slow.opened;
    }
  };
  const running = start(t, { application, layer, channels: ['slow', 'quick'] });
  await sendNumbers(layer, 'slow', 2);
  await sendNumbers(layer, 'quick', 20);
  await until('the quick one is done', () => running.stats('quick').handled === 20);
  t.match(running.stats('slow'), { state: 'busy', handled: 0, handling: { type: 'number' } });
  slow.open();
  await until('the slow one is done', () => running.stats('slow').handled === 2);
  t.equal(running.stats('slow').state, 'waiting');
  await running.stop();
});

t.test('no more messages are in hand at once than the concurrency says', async (t) => {
  const layer = layerFor(t);
  const channels = ['a', 'b', 'c', 'd', 'e'];
  let [inHand, most] = [0, 0];
  const application = handling(async (message) => {
    most = Math.max(most, ++inHand);
    await turns(message.n % 4);
    inHand--;
  });
  const running = start(t, { application, layer, channels, concurrency: 2 });
  for (const channel of channels) await sendNumbers(layer, channel, 10);
  await until('all is handled', () => running.worker.stats().every((stats) => stats.handled === 10));
  await running.stop();
  t.equal(most, 2);
});

t.test('a channel whose messages wait for a place is paused, not waiting', async (t) => {
  const layer = layerFor(t);
  const { opened, open } = gate();
  const running = start(t, {
    application: handling(() => opened),
    layer,
    channels: ['a', 'b'],
    concurrency: 1,
  });
  await sendNumbers(layer, 'a', 1);
  await until('the first is in hand', () => running.stats('a').state === 'busy');
  t.equal(running.stats('b').state, 'waiting');
  await sendNumbers(layer, 'b', 1);
  await until('the second is taken', () => running.stats('b').received === 1);
  t.equal(running.stats('b').state, 'paused');
  open();
  await until('both are handled', () => running.worker.stats().every(({ handled }) => handled === 1));
  t.match(running.worker.stats(), [{ state: 'waiting' }, { state: 'waiting' }]);
});

t.test(
  'a layer that is silent beyond what was due makes deaf, also while a message is handled',
  async (t) => {
    class SilentLayer extends HookedLayer {
      heardMsAgo = 0;
      listening(channel: string) {
        return channel === 'a' ? { waitingMs: 60_000, heardMsAgo: this.heardMsAgo, dueMs: 1000 } : undefined;
      }
    }
    const layer = new SilentLayer();
    t.teardown(() => layer.close());
    const { opened, open } = gate();
    const running = start(t, { application: handling(() => opened), layer, channels: ['a', 'b'] });
    await sendNumbers(layer, 'a', 1);
    await until('it is in hand', () => running.stats('a').state === 'busy');
    layer.heardMsAgo = 1001;
    t.match(running.worker.stats(), [{ state: 'deaf', handling: { type: 'number' } }, { state: 'waiting' }]);
    await until('it is told', () => {
      running.clock.advance(100);
      return running.eventsOf('deaf').length > 0;
    });
    layer.heardMsAgo = 0;
    await until('it is told that it hears', () => {
      running.clock.advance(100);
      return running.eventsOf('hearsAgain').length > 0;
    });
    open();
    await running.stop();
    t.match(running.eventsOf('deaf'), [{ channel: 'a', silentMs: 1001, dueMs: 1000 }]);
    t.match(running.eventsOf('hearsAgain'), [{ channel: 'a' }]);
  },
);

t.test('a failing instance gives its place back', async (t) => {
  const layer = layerFor(t);
  const application = handling((message) => {
    if (message.n % 2 === 0) throw new Error('broken');
  });
  const running = start(t, { application, layer, channels: ['a', 'b'], concurrency: 1 });
  for (const channel of ['a', 'b']) await sendNumbers(layer, channel, 10);
  await until('all is handled', () => running.worker.stats().every((stats) => stats.received === 10));
  await running.stop();
  for (const stats of running.worker.stats()) t.match(stats, { handled: 5, failed: 5, prefetched: 0 });
});

t.test('messages taken ahead are bounded, the others stay on the channel', async (t) => {
  const layer = layerFor(t, { capacity: 6 });
  const blocked = gate();
  const running = start(t, {
    application: handling(() => blocked.opened),
    layer,
    channels: ['a'],
    prefetch: 3,
  });
  await sendOneByOne(layer, running, 4);
  await sendNumbers(layer, 'a', 6, 4);
  await turns();
  t.match(running.stats('a'), { received: 4, prefetched: 3 }, 'one in hand, three ahead');
  await t.rejects(sendNumbers(layer, 'a', 1), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
  blocked.open();
  await until('all is handled', () => running.stats('a').handled === 10);
  await running.stop();
});

t.test('what is no message is dropped, told with the channel, and the instance goes on', async (t) => {
  const layer = layerFor(t);
  const got: unknown[] = [];
  const application = handling((message, instance) => got.push([instance, message.n]));
  const running = start(t, { application, layer, channels: ['a'] });
  await sendNumbers(layer, 'a', 1);
  for (const bad of ['{}', '{"kind":"a"}', '{"type":5}', '{"type":null}'])
    await layer.send('a', JSON.parse(bad));
  await sendNumbers(layer, 'a', 1, 1);
  await until('the last one is handled', () => running.stats('a').handled === 2);
  await running.stop();
  t.same(got, [
    [1, 0],
    [1, 1],
  ]);
  t.match(running.stats('a'), { received: 6, handled: 2, dropped: 4, failed: 0 });
  t.equal(running.eventsOf('badMessage').length, 4);
  t.match(running.eventsOf('badMessage')[0], {
    channel: 'a',
    error: { code: 'CHANNELS_ERR_MALFORMED_MESSAGE' },
  });
});

t.test('what a layer should never deliver is dropped too', async (t) => {
  const layer = layerFor(t);
  const odd: unknown[] = [null, undefined, 5, 'text', []];
  layer.instead = () => (odd.length > 0 ? Promise.resolve(odd.splice(0, 2) as Received[]) : undefined);
  const running = start(t, { application: handling(() => {}), layer, channels: ['a'] });
  await sendNumbers(layer, 'a', 1);
  await until('the message is handled', () => running.stats('a').handled === 1);
  t.equal(running.stats('a').dropped, 5);
  await running.stop();
});

t.test('a handler that throws is told with its stack, and the next message is handled afresh', async (t) => {
  const layer = layerFor(t);
  const got: unknown[] = [];
  function brokenHandler(): never {
    throw new Error('broken');
  }
  const application = handling((message, instance) => {
    got.push([instance, message.n]);
    if (message.n === 1) brokenHandler();
  });
  const running = start(t, { application, layer, channels: ['a'] });
  await sendNumbers(layer, 'a', 4);
  await until('the last one is handled', () => running.stats('a').handled === 3);
  await running.stop();
  t.same(got, [
    [1, 0],
    [1, 1],
    [2, 2],
    [2, 3],
  ]);
  const [failure] = running.eventsOf('handlerFailed');
  t.match(failure, { channel: 'a', messageType: 'number', error: { message: 'broken' } });
  t.match(failure?.error.stack, /brokenHandler.*worker\.test\.[jt]s/);
  t.match(running.stats('a'), { failed: 1, lastError: { error: failure?.error, at: running.clock.now() } });
});

t.test('whatever a handler throws is told as an error', async (t) => {
  const layer = layerFor(t);
  const application = handling(() => {
    throw 'just text';
  });
  const running = start(t, { application, layer, channels: ['a'] });
  await sendNumbers(layer, 'a', 1);
  await until('it failed', () => running.stats('a').failed === 1);
  await running.stop();
  t.match(running.eventsOf('handlerFailed'), [
    { error: { message: 'thrown: just text', cause: 'just text' } },
  ]);
});

class Numbers extends Consumer {
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

t.test('a message of unknown type is counted, told and dropped', async (t) => {
  const layer = layerFor(t);
  const running = start(t, {
    application: Consumer.application(() => new Numbers()),
    layer,
    channels: ['a'],
  });
  await layer.send('a', { type: 'no.such.type' });
  await sendNumbers(layer, 'a', 1);
  await until('the next one is handled', () => running.stats('a').handled === 1);
  await running.stop();
  t.match(running.stats('a'), { dropped: 1, failed: 0 });
  t.match(running.eventsOf('unknownType'), [
    { channel: 'a', messageType: 'no.such.type', error: { code: 'CHANNELS_ERR_NO_HANDLER' } },
  ]);
});

t.test('a message that its parser refuses is counted, told and dropped', async (t) => {
  const layer = layerFor(t);
  const running = start(t, {
    application: Consumer.application(() => new Numbers()),
    layer,
    channels: ['a'],
  });
  await layer.send('a', { type: 'number', n: 'one' });
  await sendNumbers(layer, 'a', 1);
  await until('the next one is handled', () => running.stats('a').handled === 1);
  await running.stop();
  t.match(running.stats('a'), { dropped: 1, failed: 0 });
  t.match(running.eventsOf('badMessage'), [
    { channel: 'a', messageType: 'number', error: { cause: { message: 'expected n to be a number' } } },
  ]);
});

t.test("a handler's own mistake with another message is a failure, not a bad message", async (t) => {
  const layer = layerFor(t);
  const running = start(t, {
    application: Consumer.application(() => new Numbers()),
    layer,
    channels: ['a'],
  });
  await layer.send('a', { type: 'inner' });
  await layer.send('a', { type: 'pass.on' });
  await until('both failed', () => running.stats('a').failed === 2);
  await running.stop();
  t.match(running.eventsOf('handlerFailed'), [
    { messageType: 'inner', error: { code: 'CHANNELS_ERR_NO_HANDLER' } },
    {
      messageType: 'pass.on',
      error: { code: 'CHANNELS_ERR_NO_CLIENT', message: /channel "a" has no client/ },
    },
  ]);
});

t.test('a consumer that stops itself is made anew for the next message', async (t) => {
  const layer = layerFor(t);
  let made = 0;
  const application = Consumer.application(() => {
    made++;
    return new Numbers();
  });
  const running = start(t, { application, layer, channels: ['a'] });
  await layer.send('a', { type: 'stop.it' });
  await until('it stopped', () => running.stats('a').handled === 1);
  t.equal(made, 1);
  await sendNumbers(layer, 'a', 1);
  await until('the next one is handled', () => running.stats('a').handled === 2);
  t.equal(made, 2);
  await running.stop();
  t.match(running.stats('a'), { failed: 0, dropped: 0 });
  t.same(running.eventsOf('instanceFailed'), []);
});

t.test('an application that throws StopConsumer out has stopped in peace', async (t) => {
  const layer = layerFor(t);
  const application: Application = async (_scope, receive) => {
    await receive();
    throw new StopConsumer();
  };
  const running = start(t, { application, layer, channels: ['a'] });
  await sendNumbers(layer, 'a', 3);
  await until('all is handled', () => running.stats('a').handled === 3);
  await running.stop();
  t.same(running.eventsOf('handlerFailed'), []);
});

t.test('a listener that fails is told, and tried again at growing intervals', async (t) => {
  const layer = layerFor(t);
  const got: number[] = [];
  layer.failWith = new Error('the server is away');
  const running = start(t, { application: handling(({ n }) => got.push(n)), layer, channels: ['a'] });
  const waits: number[] = [];
  for (let failure = 1; failure <= 11; failure++) {
    await until('it has failed again', () => running.eventsOf('listenerFailed').length === failure);
    t.equal(running.stats('a').state, 'restarting');
    const retryMs = running.eventsOf('listenerFailed').at(-1)?.retryMs ?? 0;
    waits.push(retryMs);
    await until('it waits', () => running.clock.pending === 1);
    running.clock.advance(retryMs - 1);
    await turns(3);
    t.equal(running.eventsOf('listenerFailed').length, failure, 'not before its time');
    if (failure === 11) layer.failWith = undefined;
    running.clock.advance(1);
  }
  t.same(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  await sendNumbers(layer, 'a', 2);
  await until('both are handled', () => running.stats('a').handled === 2);
  t.same(got, [0, 1]);
  t.same(running.eventsOf('listenerRecovered'), [{ type: 'listenerRecovered', channel: 'a', failures: 11 }]);
  t.match(running.stats('a'), { state: 'waiting', lastError: { error: { message: 'the server is away' } } });
  layer.failWith = new Error('away again');
  await sendNumbers(layer, 'a', 1);
  await until('it has failed again', () => running.eventsOf('listenerFailed').length === 12);
  t.equal(running.eventsOf('listenerFailed').at(-1)?.retryMs, 100, 'a success begins anew');
  await running.stop();
});

t.test('the intervals of two workers differ', async (t) => {
  const layer = layerFor(t);
  layer.failWith = new Error('the server is away');
  const waits: number[] = [];
  for (const chance of [0, 0.5, 1]) {
    const stopping = new AbortController();
    const worker = new Worker({
      application: handling(() => {}),
      layer,
      channels: ['a'],
      clock: new ManualClock(),
      random: () => chance,
      onEvent: (event) => {
        if (event.type !== 'listenerFailed') return;
        waits.push(event.retryMs);
        stopping.abort();
      },
    });
    await worker.run(stopping.signal);
  }
  t.same(waits, [100, 75, 50]);
});

t.test('a listener that fails leaves the other channels alone', async (t) => {
  const layer = layerFor(t);
  layer.instead = (channel) => (channel === 'broken' ? Promise.reject(new Error('broken')) : undefined);
  const running = start(t, { application: handling(() => {}), layer, channels: ['broken', 'sound'] });
  await sendNumbers(layer, 'sound', 5);
  await until('the sound one is done', () => running.stats('sound').handled === 5);
  t.equal(running.stats('broken').state, 'restarting');
  await running.stop();
});

t.test('what trying again cannot mend ends the run', async (t) => {
  const layer = layerFor(t);
  const other = layerFor(t);
  const foreign = await other.newChannel();
  const two = start(t, { application: handling(() => {}), layer, channels: ['a', foreign] });
  await t.rejects(two.done, { code: 'CHANNELS_ERR_FOREIGN_CHANNEL' });
  const got: number[] = [];
  const running = start(t, {
    application: handling(async ({ n }) => {
      await turns(3);
      got.push(n);
    }),
    layer,
    channels: ['a', 'b'],
  });
  await sendNumbers(layer, 'a', 3);
  await until('they are taken', () => running.stats('a').received === 3);
  await layer.close();
  await t.rejects(running.done, { code: 'CHANNELS_ERR_LAYER_CLOSED' });
  t.same(got, [0, 1, 2], 'what was taken is handled');
});

t.test('an application that fails before it takes its message is tried again with it', async (t) => {
  const layer = layerFor(t);
  const error = new Error('no database yet');
  let isReady = false;
  const got: number[] = [];
  const application: Application = async (_scope, receive) => {
    if (!isReady) throw error;
    for (;;) {
      const message = (await receive()) as Numbered;
      if (message.type === 'end') throw new Error('ended');
      got.push(message.n);
    }
  };
  const running = start(t, { application, layer, channels: ['a'] });
  await sendNumbers(layer, 'a', 2);
  for (const retryMs of [100, 200, 400]) {
    await until('it waits', () => running.clock.pending === 1);
    t.match(running.eventsOf('instanceFailed').at(-1), { channel: 'a', error, retryMs });
    t.match(running.stats('a'), { state: 'restarting', failed: 0, prefetched: 2 });
    isReady = retryMs === 400;
    running.clock.advance(retryMs);
  }
  await until('both are handled', () => running.stats('a').handled === 2);
  t.same(got, [0, 1]);
  await layer.send('a', { type: 'end' });
  await until('the instance has ended', () => running.stats('a').failed === 1);
  isReady = false;
  await sendNumbers(layer, 'a', 1);
  await until('it waits', () => running.clock.pending === 1);
  t.match(running.eventsOf('instanceFailed').at(-1), { retryMs: 100 }, 'a success begins anew');
  await running.stop();
});

t.test('an application that returns at once is a failure that is told', async (t) => {
  const layer = layerFor(t);
  const running = start(t, { application: async () => {}, layer, channels: ['a'] });
  await sendNumbers(layer, 'a', 1);
  await until('it waits', () => running.clock.pending === 1);
  t.match(running.eventsOf('instanceFailed'), [{ error: { code: 'CHANNELS_ERR_APPLICATION_ENDED' } }]);
  await running.stop();
  t.match(await layer.receive('a'), { n: 0 }, 'the message is back on its channel');
  t.match(running.stats('a'), { received: 1, returned: 1, prefetched: 0 });
});

t.test('a receive that an instance left behind takes no message from the next one', async (t) => {
  const layer = layerFor(t);
  const left: Promise<unknown>[] = [];
  const application: Application = async (_scope, receive) => {
    await receive();
    left.push(receive().catch((error: unknown) => error));
    throw new Error('broken');
  };
  const running = start(t, { application, layer, channels: ['a'] });
  for (let n = 0; n < 5; n++) {
    await sendNumbers(layer, 'a', 1, n);
    await until(
      'it failed',
      () => running.stats('a').received === n + 1 && running.stats('a').state === 'waiting',
    );
  }
  // The message before the throw counts as handled: the instance had asked for the next.
  t.match(running.stats('a'), { received: 5, handled: 5, prefetched: 0 });
  for (const outcome of await Promise.all(left)) t.ok(outcome instanceof StopConsumer);
  await running.stop();
});

t.test('an instance that ends in the moment in which it gets its place loses no message', async (t) => {
  for (let offset = 0; offset < 20; offset++) {
    const layer = layerFor(t);
    const [holding, ending] = [gate(), gate()];
    let isFirst = true;
    const application: Application = async (scope, receive) => {
      if (scope.channel === 'holds') {
        await receive();
        await holding.opened;
        await receive();
      } else if (isFirst) {
        isFirst = false;
        receive().catch(() => {});
        await ending.opened;
        throw new Error('broken');
      } else for (;;) await receive();
    };
    const running = start(t, { application, layer, channels: ['holds', 'ends'], concurrency: 1 });
    await sendNumbers(layer, 'holds', 1);
    await until('the place is taken', () => running.stats('holds').state === 'busy');
    await sendNumbers(layer, 'ends', 1);
    await turns(3);
    holding.open();
    for (let i = 0; i < offset; i++) await null;
    ending.open();
    await until('the message is accounted for', () => {
      running.clock.advance(1000);
      const { handled, failed } = running.stats('ends');
      return handled + failed === 1;
    });
    await running.stop();
    t.match(running.stats('ends'), { received: 1, prefetched: 0, state: 'paused' });
  }
});

t.test('a stopped worker finishes what it has taken and leaves the rest', async (t) => {
  const layer = layerFor(t);
  const blocked = gate();
  const got: number[] = [];
  let endedWith: unknown;
  const application: Application = async (_scope, receive) => {
    try {
      for (;;) {
        const { n } = (await receive()) as Numbered;
        await blocked.opened;
        got.push(n);
      }
    } catch (error) {
      endedWith = error;
      throw error;
    }
  };
  const running = start(t, { application, layer, channels: ['a', 'idle'], prefetch: 2 });
  await sendNumbers(layer, 'a', 5);
  await until('three are taken', () => running.stats('a').received === 3);
  running.abort();
  await until('it drains', () => running.eventsOf('draining').length === 1);
  t.same(running.eventsOf('draining'), [{ type: 'draining', messages: 3 }]);
  await turns();
  t.equal(running.stats('a').handled, 0, 'it waits for the handler');
  blocked.open();
  await running.done;
  t.same(got, [0, 1, 2]);
  t.ok(endedWith instanceof StopConsumer, 'the instance was ended in peace');
  t.match(running.stats('a'), { received: 3, handled: 3, returned: 0, state: 'paused' });
  t.match(await layer.receive('a'), { n: 3 });
  t.match(await layer.receive('a'), { n: 4 });
  t.equal(running.clock.pending, 0, 'no timer is left');
});

t.test('a message that the layer hands over while the worker is stopped is handled', async (t) => {
  const layer = layerFor(t);
  const got: number[] = [];
  layer.instead = (_channel, { signal }) =>
    new Promise((resolve) => {
      // A layer that had taken the message when the abort came has to deliver it.
      signal?.addEventListener('abort', () => setImmediate(() => resolve([{ type: 'number', n: 1 }])));
    });
  const running = start(t, { application: handling(({ n }) => got.push(n)), layer, channels: ['a'] });
  await until('it listens', () => running.eventsOf('listening').length === 1);
  await running.stop();
  t.same(got, [1]);
});

t.test('handlers that outlast the grace are named, and what was not begun is put back', async (t) => {
  const layer = layerFor(t);
  const blocked = gate();
  const application: Application = async (scope, receive) => {
    for (;;) {
      await receive();
      if (scope.channel === 'hangs') await blocked.opened;
    }
  };
  const running = start(t, { application, layer, channels: ['hangs', 'quick'], prefetch: 2, graceMs: 5000 });
  await sendNumbers(layer, 'hangs', 4);
  await sendNumbers(layer, 'quick', 4);
  await until('three are taken', () => running.stats('hangs').received === 3);
  running.clock.advance(1000);
  running.abort();
  await until('the grace runs', () => running.clock.pending === 1);
  running.clock.advance(4999);
  await turns();
  t.same(running.eventsOf('gaveUp'), []);
  running.clock.advance(1);
  await running.done;
  t.same(running.eventsOf('gaveUp'), [
    { type: 'gaveUp', channel: 'hangs', messageType: 'number', runningMs: 6000 },
  ]);
  t.same(running.eventsOf('returned'), [{ type: 'returned', channel: 'hangs', messages: 2 }]);
  t.match(running.stats('quick'), { received: 4, handled: 4, returned: 0 });
  const left = [];
  for (let i = 0; i < 3; i++) left.push((await layer.receive('hangs')).n);
  t.same(left, [3, 1, 2], 'behind what was still there');
  blocked.open();
  await until('the handler is done after all', () => running.stats('hangs').handled === 1);
  await turns();
  t.match(running.stats('hangs'), { handled: 1, prefetched: 0 }, 'and is given nothing more');
});

t.test('a second signal ends the grace at once', async (t) => {
  const layer = layerFor(t);
  const running = start(t, { application: handling(() => new Promise(() => {})), layer, channels: ['a'] });
  await sendNumbers(layer, 'a', 1);
  await until('it is busy', () => running.stats('a').state === 'busy');
  running.abort();
  await until('the grace runs', () => running.clock.pending === 1);
  running.force();
  await running.done;
  t.match(running.eventsOf('gaveUp'), [{ channel: 'a', messageType: 'number' }]);
  t.equal(running.clock.pending, 0);
});

t.test('a message that waits for its turn when the grace is over is put back too', async (t) => {
  const layer = layerFor(t);
  const ends: unknown[] = [];
  const application: Application = async (_scope, receive) => {
    await receive().catch((error: unknown) => ends.push(error));
    await new Promise(() => {});
  };
  const running = start(t, { application, layer, channels: ['first', 'second'], concurrency: 1 });
  await sendNumbers(layer, 'first', 1);
  await until('the first is busy', () => running.stats('first').state === 'busy');
  await sendNumbers(layer, 'second', 1);
  await until('the second is taken', () => running.stats('second').prefetched === 1);
  running.abort();
  running.force();
  await running.done;
  t.match(running.stats('second'), { received: 1, handled: 0, returned: 1 });
  t.match(await layer.receive('second'), { n: 0 });
  await until('its instance was ended', () => ends.length === 1);
  t.ok(ends[0] instanceof StopConsumer);
});

t.test('messages that cannot be put back are told as lost', async (t) => {
  const layer = layerFor(t, { capacity: 2 });
  const running = start(t, {
    application: handling(() => new Promise(() => {})),
    layer,
    channels: ['a'],
    prefetch: 3,
  });
  for (let n = 0; n < 4; n++) {
    await sendNumbers(layer, 'a', 1, n);
    await until('it is taken', () => running.stats('a').received === n + 1);
  }
  running.abort();
  await until('it drains', () => running.eventsOf('draining').length === 1);
  running.force();
  await running.done;
  t.match(running.eventsOf('lost'), [
    { channel: 'a', messages: 1, error: { code: 'CHANNELS_ERR_CHANNEL_FULL' } },
  ]);
  t.match(running.stats('a'), { received: 4, returned: 2, lost: 1 });
});

t.test('a worker that is told to stop before it runs takes nothing', async (t) => {
  const layer = layerFor(t);
  await sendNumbers(layer, 'a', 1);
  const worker = new Worker({ application: handling(() => {}), layer, channels: ['a'] });
  await worker.run(AbortSignal.abort());
  t.match(worker.stats(), [{ channel: 'a', received: 0 }]);
  await t.rejects(worker.run(AbortSignal.abort()), { code: 'CHANNELS_ERR_WORKER_HAS_RUN' });
});

t.test('options that make no sense are refused by their name', async (t) => {
  const sound = { application: handling(() => {}), layer: layerFor(t), channels: ['a'] };
  const refused: [string, Partial<WorkerOptions>][] = [
    ['channels', { channels: [] }],
    ['concurrency', { concurrency: 0 }],
    ['prefetch', { prefetch: 0.5 }],
    ['graceMs', { graceMs: -1 }],
    ['graceMs', { graceMs: Number.NaN }],
  ];
  for (const [option, options] of refused) {
    t.throws(() => new Worker({ ...sound, ...options }), { code: 'CHANNELS_ERR_INVALID_OPTION', option });
  }
  t.throws(() => new Worker({ ...sound, channels: ['a b'] }), { code: 'CHANNELS_ERR_INVALID_NAME' });
});

t.test('many channels make Node warn of nothing', async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const layer = layerFor(t);
  const channels = Array.from({ length: 40 }, (_, i) => `channel.${i}`);
  const running = start(t, { application: handling(() => {}), layer, channels });
  for (const channel of channels) await sendNumbers(layer, channel, 20);
  await until('all is handled', () => running.worker.stats().every((stats) => stats.handled === 20));
  await running.stop();
  t.same(warnings, []);
});

t.test('in whatever way instances end, each message is handled once, in order', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const layer = layerFor(t);
  const channels = ['a', 'b', 'c'];
  const got: Record<string, number[]> = { a: [], b: [], c: [] };
  const application: Application = async (scope, receive) => {
    if (random.chance(0.1)) throw new Error('not started');
    for (;;) {
      const { n } = (await receive()) as Numbered;
      got[scope.channel ?? '']?.push(n);
      await turns(random.whole(0, 2));
      const chance = random.next();
      if (chance < 0.2) throw new Error('broken');
      if (chance < 0.3) throw new StopConsumer();
      if (chance < 0.4) return;
    }
  };
  const running = start(t, { application, layer, channels, concurrency: 2, prefetch: 3 });
  const total = 200;
  const isDone = () => running.worker.stats().every(({ handled, failed }) => handled + failed === total);
  for (let n = 0; n < total; n++) {
    for (const channel of channels) await sendNumbers(layer, channel, 1, n);
    if (random.chance(0.2)) await turns(1);
    running.clock.advance(1000);
  }
  await until('all is handled', () => {
    running.clock.advance(1000);
    return isDone();
  });
  await running.stop();
  const all = Array.from({ length: total }, (_, n) => n);
  t.same(got, { a: all, b: all, c: all });
});

t.test('a busy channel is taken from in batches, never beyond what may be taken ahead', async (t) => {
  const layer = layerFor(t);
  const asked: number[] = [];
  layer.instead = (_channel, { max = 0 }) => {
    asked.push(max);
    return undefined;
  };
  await sendNumbers(layer, 'a', 200);
  const got: number[] = [];
  const running = start(t, {
    application: handling(({ n }) => got.push(n)),
    layer,
    channels: ['a'],
    prefetch: 20,
  });
  await until('all is handled', () => running.stats('a').handled === 200);
  await running.stop();
  t.same(
    got,
    Array.from({ length: 200 }, (_, n) => n),
  );
  t.ok(asked.length < 30, `asked ${asked.length} times`);
  t.ok(asked.every((max) => max <= 20));
});

t.test('a message on lease is acknowledged when its handler has returned', async (t) => {
  const layer = layerFor(t);
  const blocked = gate();
  const running = start(t, {
    application: handling(() => blocked.opened),
    layer,
    channels: ['a'],
    lease: 60_000,
    prefetch: 2,
  });
  await sendNumbers(layer, 'a', 3);
  await until('they are taken', () => running.stats('a').received === 3);
  blocked.open();
  await until('all is handled', () => running.stats('a').handled === 3);
  await running.stop();
  t.same(running.eventsOf('notAcknowledged'), []);
  t.same(await layer.receiveMany('a', { lease: 1, waitMs: 0 }), []);
});

t.test('leases are extended for as long as a handler runs and messages wait behind it', async (t) => {
  const layer = layerFor(t);
  const blocked = gate();
  // Long enough for a busy machine, on which a process may stand still for a while.
  const leaseMs = 800;
  const { worker, stop } = runForReal(t, {
    application: handling(() => blocked.opened),
    layer,
    channels: ['a'],
    lease: leaseMs,
    prefetch: 2,
  });
  await sendNumbers(layer, 'a', 2);
  await until('they are taken', () => worker.stats()[0]?.received === 2);
  const other = layer.receiveMany('a', { lease: leaseMs, waitMs: 2.5 * leaseMs });
  t.same(await other, [], 'nobody else gets any of them');
  blocked.open();
  await stop();
  t.same(await layer.receiveMany('a', { lease: 1, waitMs: 0 }), []);
});

t.test('a message whose handler throws comes again, and in the end is a dead letter', async (t) => {
  const layer = layerFor(t, { maxDeliveries: 3 });
  const got: number[] = [];
  const application = handling(({ n }) => {
    got.push(n);
    if (n === 0) throw new Error('broken');
  });
  const { stop, worker } = runForReal(t, { application, layer, channels: ['a'], lease: 40 });
  await sendNumbers(layer, 'a', 3);
  const letter = await layer.receive('a.dead');
  t.match(letter, { type: 'dead.letter', channel: 'a', deliveries: 3, message: { type: 'number', n: 0 } });
  await stop();
  t.same(
    got.filter((n) => n === 0),
    [0, 0, 0],
  );
  t.same(
    got.filter((n) => n !== 0),
    [1, 2],
    'the others went on meanwhile',
  );
  t.match(worker.stats(), [{ received: 5, handled: 2, failed: 3 }]);
});

t.test('bad messages and those of unknown type do not come again', async (t) => {
  const layer = layerFor(t);
  const application = Consumer.application(() => new Numbers());
  const running = start(t, { application, layer, channels: ['a'], lease: 60_000 });
  await layer.send('a', JSON.parse('{"kind":"a"}'));
  await layer.send('a', { type: 'no.such.type' });
  await layer.send('a', { type: 'number', n: 'one' } as Message);
  await layer.send('a', { type: 'stop.it' });
  await until('all are judged', () => running.stats('a').dropped === 3 && running.stats('a').handled === 1);
  await running.stop();
  t.same(await layer.receiveMany('a', { lease: 1, waitMs: 0 }), []);
});

t.test(
  'what a stopped worker had on lease and not begun comes at once, in its order and as untried',
  async (t) => {
    const layer = layerFor(t);
    const running = start(t, {
      application: handling(() => new Promise(() => {})),
      layer,
      channels: ['a'],
      lease: 60_000,
      prefetch: 3,
    });
    await sendOneByOne(layer, running, 4);
    await sendNumbers(layer, 'a', 2, 4);
    running.abort();
    running.force();
    await running.done;
    t.match(running.stats('a'), { received: 4, returned: 3, lost: 0 });
    const left = await layer.receiveMany('a', { lease: 60_000 });
    t.match(
      left.map(({ message, deliveries }) => [message.n, deliveries]),
      [
        [1, 1],
        [2, 1],
        [3, 1],
        [4, 1],
        [5, 1],
      ],
    );
  },
);

t.test('a message that went to another receiver while the process stood still is not begun', async (t) => {
  const layer = layerFor(t);
  const blocked = gate();
  const got: number[] = [];
  const application = handling(async ({ n }) => {
    got.push(n);
    await blocked.opened;
  });
  // Longer than this process may stand still by itself while the three are sent.
  const lease = 500;
  const running = start(t, { application, layer, channels: ['a'], lease, prefetch: 2 });
  await sendOneByOne(layer, running, 3);
  // The worker's clock stands still, so it does not extend; the layer's goes on.
  const others = [];
  while (others.length < 3) others.push(...(await layer.receiveMany('a', { lease: 60_000 })));
  running.clock.advance(lease);
  await until('it knows', () => running.clock.pending > 0);
  await turns();
  blocked.open();
  await until('the inbox is empty', () => running.stats('a').prefetched === 0);
  await running.stop();
  t.same(got, [0]);
  t.match(running.stats('a'), { received: 3, handled: 1, returned: 2 });
  t.match(running.eventsOf('notAcknowledged'), [{ channel: 'a', messageType: 'number' }]);
});

t.test('a layer without leases, or a channel that has none, is refused at once', async (t) => {
  const layer = layerFor(t);
  const sound = { application: handling(() => {}), layer, channels: ['a'] };
  const refused = { code: 'CHANNELS_ERR_INVALID_OPTION', option: 'lease' };
  t.throws(() => new Worker({ ...sound, lease: 0 }), refused);
  t.throws(() => new Worker({ ...sound, lease: 100, channels: ['web.1!2'] }), refused);
  class Plain extends InMemoryChannelLayer {
    override readonly extensions: ReadonlySet<Extension> = new Set<Extension>(['groups', 'flush']);
  }
  const plain = new Plain();
  t.teardown(() => plain.close());
  t.throws(() => new Worker({ ...sound, layer: plain, lease: 100 }), refused);
});

/** Runs a worker by the machine's clock. */
function runForReal(t: Test, options: WorkerOptions): { readonly worker: Worker; stop(): Promise<void> } {
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
