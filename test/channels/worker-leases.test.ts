// A worker on leases: acknowledged, extended, delivered again, and left to others.

import t from 'tap';
import {
  Consumer,
  type Extension,
  InMemoryChannelLayer,
  type Message,
  Worker,
} from '../../channels/index.js';
import {
  handling,
  layerFor,
  Numbers,
  runForReal,
  sendNumbers,
  sendOneByOne,
  start,
} from '../support/channel-worker.js';
import { gate } from '../support/gate.js';
import { turns, until } from '../support/until.js';

t.test('a message on lease is acknowledged when its handler has returned', async (t) => {
  const layer = layerFor(t);
  const blocked = gate();
  const running = start(t, {
    application: handling(() => blocked.promise),
    layer,
    channels: ['a'],
    lease: 60_000,
    prefetch: 3,
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
    application: handling(() => blocked.promise),
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
  const { stop, worker } = runForReal(t, { application, layer, channels: ['a'], lease: 500 });
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
      prefetch: 4,
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
    await blocked.promise;
  });
  // Longer than this process may stand still by itself while the three are sent.
  const lease = 500;
  const running = start(t, { application, layer, channels: ['a'], lease, prefetch: 3 });
  await sendOneByOne(layer, running, 3);
  // The worker's clock stands still, so it does not extend; the layer's goes on.
  const others = [];
  while (others.length < 3) others.push(...(await layer.receiveMany('a', { lease: 60_000 })));
  running.clock.advance(lease);
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
