// Ten hosts: groups, the channels of processes and general channels, spread over all of them.

import t, { type Test } from 'tap';
import { RedisChannelLayer, type RedisLayerOptions } from '../../../../channels/layers/redis/layer.js';
import { numbered, range, receive, remaining } from '../../../contracts/run.js';
import { patientMs } from '../../../support/patience.js';
import { RedisServer } from '../../../support/redis.js';

const server = await RedisServer.start(t);
const databases = range(10);
let prefixes = 0;

function open(t: Test, options: RedisLayerOptions): RedisChannelLayer {
  const hosts = databases.map((db) => `${server.url}/${db}`);
  const layer = new RedisChannelLayer({ hosts, timeoutMs: patientMs, ...options });
  t.teardown(() => layer.close());
  return layer;
}

for (const count of [1, 10, 100]) {
  t.test(`a group of ${count} channels on ten hosts: each gets every message once`, async (t) => {
    const prefix = `many${++prefixes}:`;
    const [layer, sender] = [open(t, { prefix }), open(t, { prefix })];
    const members = await Promise.all(range(count).map((n) => layer.newChannel(`channel${n}`)));
    const left = await layer.newChannel('left');
    for (const channel of [...members, left]) await sender.groupAdd('group', channel);
    await layer.groupDiscard('group', left);
    for (const n of [1, 2]) await sender.groupSend('group', numbered(n));
    const raw = server.client(t);
    let hosts = 0;
    for (const db of databases) {
      await raw.select(db);
      if ((await raw.keys(`${prefix}channel*`)).length > 0) hosts++;
    }
    t.equal(hosts === 1, count === 1, `they lie on ${hosts} hosts`);
    const received = await Promise.all(
      members.map(async (channel) => [(await receive(layer, channel)).n, (await receive(layer, channel)).n]),
    );
    t.same(received, Array(count).fill([1, 2]));
    for (const channel of [...members.slice(0, 3), left]) t.same(await remaining(layer, channel), []);
  });
}

t.test('of a group on ten hosts, a full channel misses a message and the others get it', async (t) => {
  const layer = open(t, { prefix: `many${++prefixes}:`, capacity: 3 });
  const members = await Promise.all(range(20).map((n) => layer.newChannel(`channel${n}`)));
  for (const channel of members) await layer.groupAdd('group', channel);
  const [full = ''] = members;
  for (let n = 0; n < 3; n++) await layer.send(full, { type: 'before' });
  await layer.groupSend('group', numbered(1));
  for (let n = 0; n < 3; n++) t.match(await receive(layer, full), { type: 'before' });
  t.same(await remaining(layer, full), []);
  for (const channel of members.slice(1)) t.match(await receive(layer, channel), { n: 1 });
});
