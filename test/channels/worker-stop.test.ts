// How a worker stops: what it finishes, what it puts back, and what it tells as lost.

import t from 'tap';
import { type Application, StopConsumer } from '../../channels/index.js';
import { handling, layerFor, type Numbered, sendNumbers, start } from '../support/channel-worker.js';
import { gate } from '../support/gate.js';
import { turns, until } from '../support/until.js';

t.test('a stopped worker finishes what it has taken and leaves the rest', async (t) => {
  const layer = layerFor(t);
  const blocked = gate();
  const got: number[] = [];
  let endedWith: unknown;
  const application: Application = async (_scope, receive) => {
    try {
      for (;;) {
        const { n } = (await receive()) as Numbered;
        await blocked.promise;
        got.push(n);
      }
    } catch (error) {
      endedWith = error;
      throw error;
    }
  };
  const running = start(t, { application, layer, channels: ['a', 'idle'], prefetch: 3 });
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
      if (scope.channel === 'hangs') await blocked.promise;
    }
  };
  const running = start(t, { application, layer, channels: ['hangs', 'quick'], prefetch: 3, graceMs: 5000 });
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
    prefetch: 4,
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
