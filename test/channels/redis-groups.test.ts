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

/** Where Redis writes the names of the members into a message, and where it cannot. */
const ways: Readonly<Record<string, RedisLayerOptions>> = {
  'as MessagePack': {},
  'as JSON': { serializer: 'json' },
  encrypted: { symmetricEncryptionKeys: ['secret'] },
  'without random bytes': { randomPrefixLength: 0 },
};

for (const [way, options] of Object.entries(ways))
  t.test(`a message to a group whose members have not changed is one script, ${way}`, async (t) => {
    const layer = open(t, { ...options })();
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

t.test('the names that Redis writes into a message are the bytes that a sender writes', async (t) => {
  const prefix = `bytes${++prefixes}:`;
  const layer = new RedisChannelLayer({ hosts: [server.url], prefix });
  t.teardown(() => layer.close());
  const client = server.client(t);
  const name = (process: string, length: number, n: number) =>
    `${process}!${String(n).padStart(length - process.length - 1, '0')}`;
  const sizes = [1, 15, 16, 300];
  const members = sizes.flatMap((size) =>
    Array.from({ length: size }, (_, n) => name(`p.${size}`, [12, 31, 32, 99][n % 4] ?? 12, n)),
  );
  const general = ['chat', 'chat2', 'cha', 'p.1', 'x'.repeat(99)];
  // A name of 300 bytes, as only Python accepts it, and processes by turns.
  const all = [
    ...general,
    `p.1!${'é'.repeat(148)}`,
    ...members.sort((a, b) => (a.slice(-3) < b.slice(-3) ? -1 : 1)),
  ];
  for (const [i, member] of all.entries())
    await client.zadd(`${prefix}:group:room`, Date.now() / 1000 + i / 1e6, member);
  for (const n of [1, 2]) await layer.groupSend('room', { type: 'same.message', list: [n > 0] });
  for (const key of [...general, ...sizes.map((size) => `p.${size}!`)]) {
    const [first, second, ...others] = await client.zrangeBuffer(prefix + key, 0, '-1');
    t.same(second?.subarray(12), first?.subarray(12), key);
    t.same(others, []);
  }
});

t.test(
  'a process that joins a group, and one that leaves it, is noticed where Redis writes the names',
  async (t) => {
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
  },
);

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
    areNamesOnRedis: false,
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

t.test('where Redis writes the names only the processes are remembered', async (t) => {
  const groups = new KnownGroups({
    writeChannels: (channels) => Buffer.from(channels.join()),
    areNamesOnRedis: true,
    mostNames: 2,
  });
  const names = ['c', 'p.x!1', 'p.x!2', 'p.x!3'];
  const channels = Buffer.from('p.x!1,p.x!2,p.x!3');
  t.match(groups.learn('one', names).processes[1], { key: 'p.x!', channels });
  t.strictSame(groups.membersOf('one'), {
    text: '',
    processes: [
      { key: 'c', firstChannel: 'c', channels: undefined },
      { key: 'p.x!', firstChannel: 'p.x!1', channels: undefined },
    ],
    size: 2,
  });
  groups.learn('two', ['a']);
  t.strictSame(groups.membersOf('one').processes, []);
});

async function depths(layer: RedisChannelLayer, channels: readonly string[]): Promise<number[]> {
  return Promise.all(channels.map(async (channel) => (await layer.peek(channel, { max: 100 })).length));
}
