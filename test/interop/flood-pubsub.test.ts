// Many messages each way between this package's PubSub layer and Python's: none is lost and none comes twice.

import t, { type Test } from 'tap';
import {
  RedisPubSubChannelLayer,
  type RedisPubSubLayerOptions,
} from '../../channels/layers/redis-pubsub/layer.js';
import {
  all,
  evens,
  groupSendNumbers,
  Harvest,
  inOrder,
  odds,
  range,
  receiveNumbers,
  roomForAll,
  sendNumbers,
  total,
} from '../support/harvest.js';
import { patientMs } from '../support/patience.js';
import { eventually } from '../support/programs.js';
import { PythonFlood } from '../support/python-flood.js';
import { RedisServer } from '../support/redis.js';

// Python's pace decides, and on a busy machine that takes longer than a file of tests may take otherwise.
t.setTimeout(400_000);
const servers = [await RedisServer.start(t), await RedisServer.start(t)];
const urls = servers.map(({ url }) => url);
const clients = servers.map((server) => server.client(t));
let prefixes = 0;

/** All of them both ways over Redis PubSub: through a general channel, specific ones and a group. */
async function published(t: Test, options: RedisPubSubLayerOptions, pythonOptions: readonly string[] = []) {
  const prefix = `flood${++prefixes}:`;
  const { hosts = urls.slice(0, 1) } = options;
  const open = () => {
    const layer = new RedisPubSubChannelLayer({
      ...options,
      hosts,
      prefix,
      capacity: roomForAll,
      timeoutMs: patientMs,
    });
    t.teardown(() => layer.close());
    return layer;
  };
  const python = (harvest: Harvest) => {
    const places = hosts.flatMap((url) => ['--url', String(url)]);
    const args = [...places, '--layer', 'pubsub', '--prefix', prefix, ...pythonOptions];
    return PythonFlood.start(t, args, harvest);
  };
  const harvests = {
    general: new Harvest(),
    specific: new Harvest(),
    group: new Harvest(),
  };
  const ends = new AbortController();
  const [layer, other] = [open(), open()];
  const receiving: Promise<void>[] = [];
  const receive = (harvest: Harvest, channel: string) =>
    receiving.push(receiveNumbers(layer, channel, { harvest, name: 'ours', signal: ends.signal }));
  const sender = await python(new Harvest());
  const [general, specific, group] = [
    await python(harvests.general),
    await python(harvests.specific),
    await python(harvests.group),
  ];
  await general.receive('python', 'chat');
  receive(harvests.general, 'chat');
  const [ourChannel, ourMember] = [await layer.newChannel(), await layer.newChannel()];
  receive(harvests.specific, ourChannel);
  const theirChannel = await specific.newReceiver('python');
  await layer.groupAdd('room', ourMember);
  receive(harvests.group, ourMember);
  await group.newReceiver('python', 'room');
  await eventually('both listen to the general channel', async () => {
    const counts = await Promise.all(clients.map((client) => client.pubsub('NUMSUB', 'chat')));
    return counts.some(([, count]) => Number(count) === 2);
  });
  await Promise.all([
    sendNumbers(other, 'chat', evens),
    sendNumbers(other, theirChannel, all),
    groupSendNumbers(other, 'room', evens),
    (async () => {
      await sender.send('chat', odds);
      await sender.send(ourChannel, all);
      await sender.groupSend('room', odds);
    })(),
    ...Object.values(harvests).map((harvest) => harvest.complete(total, ['ours', 'python'])),
  ]);
  ends.abort();
  await Promise.all([...receiving, general.end(), specific.end(), group.end()]);
  for (const [what, harvest] of Object.entries(harvests))
    for (const name of ['ours', 'python']) t.same(inOrder(harvest.of(name)), range, `${what}, ${name}`);
}

t.test('through a general channel, specific ones and a group', (t) => published(t, {}));

t.test('encrypted, as JSON, with two hosts', (t) =>
  published(t, { hosts: urls, symmetricEncryptionKeys: ['s3crét'], serializer: 'json' }, [
    ...['--key', 's3crét', '--serializer', 'json'],
  ]),
);
