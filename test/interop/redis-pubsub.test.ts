// Python's PubSub layer and ours on one Redis.

import t, { type Test } from 'tap';
import {
  RedisPubSubChannelLayer,
  type RedisPubSubLayerOptions,
} from '../../channels/layers/redis-pubsub/layer.js';
import { receive } from '../contracts/run.js';
import { patientMs } from '../support/patience.js';
import { PythonPeer } from '../support/python-peer.js';
import { RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';

const servers = [await RedisServer.start(t), await RedisServer.start(t)];
const clients = servers.map((server) => server.client(t));
const urls = servers.map(({ url }) => url);

const message = {
  type: 'chat.message',
  text: 'Tere õhtust, 日本 😀 "\\\n',
  numbers: [0, -1, 2 ** 40, 0.1, -1.5e300],
  nested: { list: [null, true, [{ võti: 'väärtus' }]], empty: {} },
};

async function listening(name: string): Promise<void> {
  await until(`somebody listens to ${name}`, async () => {
    const counts = await Promise.all(clients.map((client) => client.pubsub('NUMSUB', name)));
    return counts.some(([, count]) => Number(count) > 0);
  });
}

/** One message through a general channel, specific ones and a group, both ways. */
async function exchange(
  t: Test,
  options: RedisPubSubLayerOptions,
  pythonOptions: readonly string[] = [],
): Promise<void> {
  const hosts = options.hosts ?? urls.slice(0, 1);
  const ours = new RedisPubSubChannelLayer({ ...options, hosts, timeoutMs: patientMs });
  t.teardown(() => ours.close());
  const theirs = await PythonPeer.start(t, hosts.map(String), ['--layer', 'pubsub', ...pythonOptions]);

  for (const channel of ['to.python', 'chat', 'jobs']) {
    const atTheirs = theirs.receive(channel);
    await listening(channel);
    await ours.send(channel, message);
    t.strictSame(await atTheirs, message, `${channel}, to Python`);
  }
  for (const channel of ['to.us', 'room', 'a']) {
    const atOurs = receive(ours, channel);
    await listening(channel);
    await theirs.send(channel, message);
    t.strictSame(await atOurs, message, `${channel}, from Python`);
  }
  const [our, their] = [await ours.newChannel(), await theirs.newChannel()];
  await ours.send(their, message);
  t.strictSame(await theirs.receive(their), message, 'specific, to Python');
  await theirs.send(our, message);
  t.strictSame(await receive(ours, our), message, 'specific, from Python');

  await ours.groupAdd('room', our);
  await theirs.groupAdd('room', their);
  for (const sender of [ours, theirs]) {
    await sender.groupSend('room', message);
    t.strictSame(await theirs.receive(their), message, 'group, to Python');
    t.strictSame(await receive(ours, our), message, 'group, to us');
  }
}

t.test('messages cross both ways', (t) => exchange(t, {}));

t.test('they cross with a prefix and JSON', (t) =>
  exchange(t, { prefix: 'my:', serializer: 'json' }, ['--prefix', 'my:', '--serializer', 'json']),
);

t.test('they cross encrypted', (t) =>
  exchange(t, { symmetricEncryptionKeys: ['s3crét'] }, ['--key', 's3crét']),
);

t.test('they cross with two hosts', (t) => exchange(t, { hosts: urls }));
