// Who gets a message to a group: those who are members on Redis in that moment.

import t, { type Test } from 'tap';
import { RedisChannelLayer, type RedisLayerOptions } from '../../../../channels/layers/redis/layer.js';
import { numbered, receiveMany } from '../../../contracts/run.js';
import { patientMs } from '../../../support/patience.js';
import { RedisServer } from '../../../support/redis.js';

const server = await RedisServer.start(t);
let prefixes = 0;

/** Layer objects on one empty prefix. */
function open(t: Test, options: RedisLayerOptions = {}) {
  const prefix = `groups${++prefixes}:`;
  return () => {
    const layer = new RedisChannelLayer({ hosts: [server.url], prefix, timeoutMs: patientMs, ...options });
    t.teardown(() => layer.close());
    return layer;
  };
}

t.test('a process that joins a group, and one that leaves it, is noticed', async (t) => {
  const make = open(t);
  const [sender, one, other] = [make(), make(), make()];
  const first = await one.newChannel();
  await one.groupAdd('room', first);
  for (const n of [1, 2]) await sender.groupSend('room', numbered(n));
  const second = await one.newChannel();
  await one.groupAdd('room', second);
  await sender.groupSend('room', numbered(3));
  const third = await other.newChannel();
  await other.groupAdd('room', third);
  await one.groupDiscard('room', first);
  await sender.groupSend('room', numbered(4));
  await one.groupDiscard('room', second);
  for (const n of [5, 6]) await sender.groupSend('room', numbered(n));
  const numbersOf = async (layer: RedisChannelLayer, channel: string, count: number) =>
    (await receiveMany(layer, channel, count)).map(({ n }) => n);
  t.strictSame(await numbersOf(one, first, 3), [1, 2, 3]);
  t.strictSame(await numbersOf(one, second, 2), [3, 4]);
  t.strictSame(await numbersOf(other, third, 3), [4, 5, 6]);
});

t.test('who joins or leaves between two messages, told by another process, is in time', async (t) => {
  const make = open(t);
  const [sender, other] = [make(), make()];
  await other.groupAdd('room', 'stays');
  await other.groupAdd('room', 'leaves');
  for (const n of [1, 2]) await sender.groupSend('room', numbered(n));
  await other.groupDiscard('room', 'leaves');
  await other.groupAdd('room', 'joins');
  for (const n of [3, 4]) await sender.groupSend('room', numbered(n));
  t.strictSame(await depths(sender, ['stays', 'leaves', 'joins']), [4, 2, 2]);
  await other.flush();
  await sender.groupSend('room', numbered(5));
  t.strictSame(await depths(sender, ['stays', 'leaves', 'joins']), [0, 0, 0], 'nobody is a member any more');
});

t.test('a membership that has ended since the last message gets nothing', async (t) => {
  let now = Date.now();
  const layer = open(t, { now: () => now, groupExpiry: 30 })();
  await layer.groupAdd('room', 'early');
  now += 20_000;
  await layer.groupAdd('room', 'late');
  for (const n of [1, 2]) await layer.groupSend('room', numbered(n));
  now += 20_000;
  await layer.groupSend('room', numbered(3));
  t.strictSame(await depths(layer, ['early', 'late']), [2, 3]);
});

t.test(
  'messages to a group are refused while Redis is away, and go to its members again afterwards',
  async (t) => {
    const own = await RedisServer.start(t, { persistent: true });
    const layer = new RedisChannelLayer({ hosts: [own.url], timeoutMs: patientMs });
    t.teardown(() => layer.close());
    await layer.groupAdd('room', 'chat');
    await layer.groupSend('room', numbered(1));
    await own.kill();
    const impatient = new RedisChannelLayer({ hosts: [own.url], timeoutMs: 50 });
    t.teardown(() => impatient.close());
    await t.rejects(impatient.groupSend('room', numbered(2)), { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE' });
    await own.restart();
    await layer.groupSend('room', numbered(3));
    t.strictSame(await depths(layer, ['chat']), [2]);
  },
);

async function depths(layer: RedisChannelLayer, channels: readonly string[]): Promise<number[]> {
  return Promise.all(channels.map(async (channel) => (await layer.peek(channel, { max: 100 })).length));
}
