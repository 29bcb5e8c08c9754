// One question for many keys that are empty nearly always.

import t from 'tap';
import { Connection } from '../../channels/layers/redis/connection.js';
import { parseHosts } from '../../channels/layers/redis/hosts.js';
import { Presence } from '../../channels/layers/redis/presence.js';
import { RedisChannelLayer } from '../../channels/layers/redis.js';
import { patientMs } from '../support/patience.js';
import { RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';

const server = await RedisServer.start(t);

async function calls(command: string): Promise<number> {
  const stats = await server.client(t).info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

t.test('what is asked for in the same moment is one command, and a find is a find for all', async (t) => {
  const [address] = parseHosts([server.url], '');
  if (address === undefined) throw new RangeError('no address');
  const commands = new Connection({ address, connectWithinMs: patientMs, replyWithinMs: patientMs });
  t.teardown(() => commands.close());
  const presence = new Presence(commands);
  const keys = ['one', 'two', 'three', 'one'];
  t.same(await Promise.all(keys.map((key) => presence.mayBeThere(key))), [false, false, false, false]);
  t.equal(await calls('exists'), 1);
  await server.client(t).set('two', '');
  t.same(await Promise.all(keys.map((key) => presence.mayBeThere(key))), [true, true, true, true]);
  t.equal(await calls('exists'), 2);
  await commands.close();
  t.equal(await presence.mayBeThere('one'), true, 'not known is worth a look');
});

t.test('a process that waits on ten channels asks once for what others have left there', async (t) => {
  const layer = new RedisChannelLayer({
    hosts: [server.url],
    prefix: 'ten:',
    timeoutMs: patientMs,
  });
  t.teardown(() => layer.close());
  const before = await calls('exists');
  const channels = Array.from({ length: 10 }, (_, i) => `chat${i}`);
  const waits = channels.map((channel) => layer.receive(channel));
  await until('it has asked', async () => (await calls('exists')) > before);
  t.equal((await calls('exists')) - before, 1);
  t.equal(await calls('zrange'), 0, 'nothing was left, so no channel is looked at');
  for (const channel of channels) await layer.send(channel, { type: 'end' });
  await Promise.all(waits);
});
