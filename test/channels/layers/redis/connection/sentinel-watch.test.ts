// Through a Sentinel with a password of its own, a layer is what it is on the master.

import t from 'tap';
import { RedisChannelLayer } from '../../../../../channels/layers/redis/layer.js';
import { RedisPubSubChannelLayer } from '../../../../../channels/layers/redis-pubsub/layer.js';
import { layerContract } from '../../../../contracts/layer.js';
import { numbered, receive } from '../../../../contracts/run.js';
import { patientMs } from '../../../../support/patience.js';
import { WatchedMaster } from '../../../../support/redis-groups.js';

const password = 'of the sentinel';
// On a busy machine the master may be silent for a while, which is no matter of this test.
const watched = await WatchedMaster.start(t, { password: JSON.stringify(password), downAfterMs: 120_000 });
let prefixes = 0;

function host(db: number) {
  return {
    sentinels: [['127.0.0.1', watched.sentinelPort] as const],
    masterName: watched.name,
    sentinelOptions: { password },
    db,
  };
}

layerContract('the Redis layer through a Sentinel', {
  medium: async () => {
    const prefix = `sentinel${++prefixes}:`;
    return {
      open: async (options) =>
        new RedisChannelLayer({ hosts: [host(0)], prefix, timeoutMs: patientMs, ...options }),
    };
  },
});

t.test('the databases of one master are hosts of their own', async (t) => {
  const hosts = [1, 2, 3].map(host);
  const layers = [1, 2].map(() => new RedisChannelLayer({ hosts, timeoutMs: patientMs }));
  t.teardown(() => Promise.all(layers.map((layer) => layer.close())));
  const [a, b] = layers;
  for (let n = 0; n < 6; n++) await a?.send('chat', numbered(n));
  const raw = watched.master.client(t);
  for (const db of [1, 2, 3]) {
    await raw.select(db);
    t.equal(await raw.zcard('asgichat'), 2);
  }
  const received = await Promise.all(Array.from({ length: 6 }, () => b?.receive('chat')));
  t.same(received.map((message) => Number(message?.n)).sort(), [0, 1, 2, 3, 4, 5]);
});

t.test('PubSub: groups, and channels of a process', async (t) => {
  const layers = [1, 2].map(
    () => new RedisPubSubChannelLayer({ hosts: [host(0)], prefix: 'pubsub:', timeoutMs: patientMs }),
  );
  t.teardown(() => Promise.all(layers.map((layer) => layer.close())));
  const [a, b] = layers;
  if (a === undefined || b === undefined) throw new Error('expected two layers');
  const [one, two, left] = [await a.newChannel(), await b.newChannel(), await b.newChannel()];
  await a.groupAdd('room', one);
  for (const channel of [two, left]) await b.groupAdd('room', channel);
  await b.groupDiscard('room', left);
  await a.groupSend('room', numbered(1));
  for (const channel of [one, two, left]) await a.send(channel, numbered(2));
  t.match([await receive(a, one), await receive(a, one)], [{ n: 1 }, { n: 2 }]);
  t.match([await receive(b, two), await receive(b, two)], [{ n: 1 }, { n: 2 }]);
  t.match(await receive(b, left), { n: 2 });
});
