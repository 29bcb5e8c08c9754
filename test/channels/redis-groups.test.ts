// What a process remembers of a group's members, and that Redis has the last word on who they are.

import t, { type Test } from 'tap';
import { KnownGroups } from '../../channels/layers/redis/known-groups.js';
import { RedisChannelLayer, type RedisLayerOptions } from '../../channels/layers/redis.js';
import { numbered, receiveMany } from '../contracts/run.js';
import { patientMs } from '../support/patience.js';
import { RedisServer } from '../support/redis.js';

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

async function scriptsRun(t: Test): Promise<number> {
  const stats = await server.client(t).info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

t.test('a message to a group whose members have not changed is one script', async (t) => {
  const layer = open(t, { xray: false })();
  const channels = [await layer.newChannel(), await layer.newChannel(), 'general'];
  for (const channel of channels) await layer.groupAdd('room', channel);
  for (const n of [0, 1]) await layer.groupSend('room', numbered(n));
  const before = await scriptsRun(t);
  for (const n of [2, 3, 4]) await layer.groupSend('room', numbered(n));
  t.equal((await scriptsRun(t)) - before, 3);
  for (const channel of channels)
    t.strictSame(
      (await receiveMany(layer, channel, 5)).map(({ n }) => n),
      [0, 1, 2, 3, 4],
    );
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

t.test('what is sent to a channel and to groups without waiting comes in that order', async (t) => {
  const layer = open(t)();
  await layer.groupAdd('room', 'chat');
  await layer.groupSend('room', numbered(0));
  await Promise.all([
    layer.send('chat', numbered(1)),
    layer.groupSend('room', numbered(2)),
    layer.send('chat', numbered(3)),
  ]);
  t.strictSame(
    (await receiveMany(layer, 'chat', 4)).map(({ n }) => n),
    [0, 1, 2, 3],
  );
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

t.test('only so many members are remembered, those of the groups that were sent to last', async (t) => {
  const groups = new KnownGroups({
    writeChannels: (channels) => Buffer.from(channels.join()),
    mostNames: 5,
  });
  groups.learn('one', ['a', 'b']);
  groups.learn('two', ['c', 'p.x!1', 'p.x!2']);
  t.equal(groups.membersOf('one').text, 'a\nb');
  t.match(groups.membersOf('two'), {
    text: 'c\np.x!1\np.x!2',
    processes: [
      { key: 'c', firstChannel: 'c', channels: Buffer.from('c') },
      { key: 'p.x!', firstChannel: 'p.x!1', channels: Buffer.from('p.x!1,p.x!2') },
    ],
  });
  groups.membersOf('one');
  groups.learn('three', ['d']);
  t.equal(groups.membersOf('two').text, '', 'used longest ago');
  t.equal(groups.membersOf('one').text, 'a\nb');
  t.equal(groups.learn('large', ['1', '2', '3', '4', '5', '6']).processes.length, 6);
  t.equal(groups.membersOf('large').text, '', 'more than are remembered of all');
  t.equal(groups.membersOf('three').text, 'd');
});

async function depths(layer: RedisChannelLayer, channels: readonly string[]): Promise<number[]> {
  return Promise.all(channels.map(async (channel) => (await layer.peek(channel, { max: 100 })).length));
}
