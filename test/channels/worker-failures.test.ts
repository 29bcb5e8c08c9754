// What a worker does when a handler, a consumer, an instance or a listener fails.

import t from 'tap';
import { type Application, Consumer, StopConsumer, Worker } from '../../channels/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { handling, layerFor, type Numbered, Numbers, sendNumbers, start } from '../support/channel-worker.js';
import { gate } from '../support/gate.js';
import { turns, until } from '../support/until.js';

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
  t.match(failure?.error.stack, /brokenHandler.*worker-failures\.test\.[jt]s/);
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
  const running = start(t, { application, layer, channels: ['a'], prefetch: 2 });
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
        await holding.promise;
        await receive();
      } else if (isFirst) {
        isFirst = false;
        receive().catch(() => {});
        await ending.promise;
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
