// How a worker serves its channels: instances, order, places, what is no message, options.

import t from 'tap';
import {
  type Application,
  type Received,
  StopConsumer,
  Worker,
  type WorkerOptions,
} from '../../channels/index.js';
import {
  HookedLayer,
  handling,
  layerFor,
  type Numbered,
  sendNumbers,
  sendOneByOne,
  start,
} from '../support/channel-worker.js';
import { gate } from '../support/gate.js';
import { Random } from '../support/random.js';
import { turns, until } from '../support/until.js';

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
      if (scope.channel === 'slow') await slow.promise;
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
  const { promise: opened, open } = gate();
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
    const { promise: opened, open } = gate();
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
    application: handling(() => blocked.promise),
    layer,
    channels: ['a'],
    prefetch: 4,
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
