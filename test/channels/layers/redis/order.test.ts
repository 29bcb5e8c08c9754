// The order of messages on Redis, where it hangs on clocks: what was taken and comes back, and clocks that differ.

import t, { type Test } from 'tap';
import { RedisChannelLayer, type RedisLayerOptions } from '../../../../channels/layers/redis/layer.js';
import { numbered, range, receiveMany } from '../../../contracts/run.js';
import { patientMs } from '../../../support/patience.js';
import { RedisServer } from '../../../support/redis.js';
import { turns } from '../../../support/until.js';

const server = await RedisServer.start(t);
let prefixes = 0;

/** Layer objects on one empty prefix, the clock of each so many milliseconds ahead, and a look at what is there. */
function open(t: Test, aheadMs: readonly number[], options: RedisLayerOptions = {}) {
  const prefix = `order${++prefixes}:`;
  // Time does not go on by itself, so that all is sent in the same millisecond.
  const base = Date.now();
  let passedMs = 0;
  const layers = aheadMs.map((ms) => {
    const now = () => base + passedMs + ms;
    const layer = new RedisChannelLayer({
      hosts: [server.url],
      prefix,
      now,
      timeoutMs: patientMs,
      ...options,
    });
    t.teardown(() => layer.close());
    return layer;
  });
  const raw = server.client(t);
  const key = `${prefix}chat`;
  return {
    layers,
    /** Takes all there is, as a receiver does that is called off in the same moment. */
    take: () => raw.zpopminBuffer(key, 1000),
    /** Puts back what was taken, as that receiver does then. */
    putBack: async (taken: readonly Buffer[]) => {
      for (let i = 0; i < taken.length; i += 2)
        await raw.zadd(key, String(taken[i + 1]), taken[i] ?? Buffer.alloc(0));
    },
    advance: (ms: number) => {
      passedMs += ms;
    },
  };
}

async function order(layer: RedisChannelLayer | undefined, count: number): Promise<unknown[]> {
  if (layer === undefined) throw new Error('expected a layer');
  return (await receiveMany(layer, 'chat', count)).map(({ n }) => n);
}

t.test('what is put back comes before what its sender sent meanwhile', async (t) => {
  const { layers, take, putBack } = open(t, [0]);
  const [layer] = layers;
  await layer?.sendMany('chat', range(3).map(numbered));
  const taken = await take();
  for (const n of [3, 4]) await layer?.send('chat', numbered(n));
  const more = await take();
  await layer?.send('chat', numbered(5));
  await putBack(more);
  await putBack(taken);
  t.same(await order(layer, 6), range(6));
});

t.test('so it does where the clock of another sender on the channel is a little ahead', async (t) => {
  for (const aheadMs of [0, 1, 700]) {
    const { layers, take, putBack } = open(t, [0, aheadMs]);
    const [layer, other] = layers;
    await other?.sendMany('chat', range(10).map(numbered));
    await layer?.send('chat', numbered(10));
    const taken = await take();
    await layer?.send('chat', numbered(11));
    await putBack(taken);
    t.same(await order(layer, 12), range(12), `${aheadMs} ms`);
  }
});

t.test('a clock that is set back by less than a second changes no order', async (t) => {
  const { layers, take, putBack, advance } = open(t, [0]);
  const [layer] = layers;
  await layer?.send('chat', numbered(0));
  advance(-600);
  await layer?.send('chat', numbered(1));
  const taken = await take();
  await layer?.send('chat', numbered(2));
  await putBack(taken);
  await layer?.send('chat', numbered(3));
  t.same(await order(layer, 4), range(4));
});

t.test('beyond a second the clocks decide, as they do for Python', async (t) => {
  const { layers } = open(t, [0, 2000]);
  const [layer, other] = layers;
  await other?.send('chat', numbered(1));
  await layer?.send('chat', numbered(0));
  t.same(await order(layer, 2), range(2));
});

t.test('with several hosts the order is kept on each, whatever is put back', async (t) => {
  const second = await RedisServer.start(t);
  const { layers } = open(t, [0, 0], { hosts: [server.url, second.url] });
  const [layer, other] = layers;
  for (let n = 0; n < 40; n++) await layer?.send('chat', numbered(n));
  const received: number[] = [];
  for (let round = 0; round < 60 && received.length === 0; round++) {
    const calledOff = new AbortController();
    const waiting = other?.receiveMany('chat', { max: 30, signal: calledOff.signal });
    await turns(round % 12);
    calledOff.abort();
    await waiting?.then(
      (batch) => received.push(...batch.map(({ n }) => Number(n))),
      () => undefined,
    );
  }
  received.push(...(await order(other, 40 - received.length)).map(Number));
  // They go round the hosts, so the even ones lie on one and the odd ones on the other.
  for (const rest of [0, 1]) {
    const onOne = received.filter((n) => n % 2 === rest);
    t.same(
      onOne,
      range(20).map((i) => 2 * i + rest),
    );
  }
});
