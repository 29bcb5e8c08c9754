// The X-ray over real processes, beside Python, and while Redis is away.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  type ChannelLayer,
  openLayer,
  Receipt,
  RedisChannelLayer,
  type Trace,
} from '../../channels/index.js';
import { testDirectory } from '../support/directory.js';
import { MailWorker } from '../support/mail-worker.js';
import { PythonPeer } from '../support/python-peer.js';
import { RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';

const places: Readonly<Record<string, (t: Test) => Promise<string>>> = {
  SQLite: async (t) => `sqlite:${join(testDirectory(t), 'channels.db')}`,
  Redis: async (t) => (await RedisServer.start(t)).url,
};

for (const [place, urlOf] of Object.entries(places)) {
  t.test(
    `a trace on ${place} tells what a worker in another process did, also when that is dead`,
    async (t) => {
      const url = await urlOf(t);
      const layer = await open(t, url);
      const worker = await MailWorker.start(t, url);
      const good = await send(layer, { type: 'mail.good' });
      const bad = await send(layer, { type: 'mail.bad' });
      const ends = async (id: string, event: string) =>
        (await layer.trace(id)).events.at(-1)?.event === event;
      await until(
        'both are handled',
        async () => (await ends(good, 'handled')) && (await ends(bad, 'failed')),
      );
      const { processes, channels } = await layer.stats();
      t.match(processes.find(({ pid }) => pid === worker.pid)?.receives, ['mail']);
      t.match(channels, [{ channel: 'mail', sent: 2, received: 2, depth: 0, receivers: 1 }]);
      await worker.kill();
      t.same(story(await layer.trace(good)), [
        ['sent', process.pid],
        ['received', worker.pid],
        ['started', worker.pid],
        ['handled', worker.pid],
      ]);
    },
  );

  t.test(`a process on ${place} with many events is asked for them`, async (t) => {
    const url = await urlOf(t);
    const [busy, watcher] = [await open(t, url), await open(t, url)];
    const receipt = new Receipt();
    const messages = Array.from({ length: 1000 }, () => ({ type: 'mail.good' }));
    await busy.sendMany('mail', messages, { receipt });
    const ids = [0, 500, 999].map((i) => receipt.id(i) ?? '');
    await until('it has answered', async () => {
      const traces = await Promise.all(ids.map((id) => watcher.trace(id)));
      return traces.every(
        ({ id, events, waiting }) => events.length === 1 && events[0]?.event === 'sent' && waiting?.id === id,
      );
    });
  });

  t.test(`a sender on ${place} that is closed at once is traced`, async (t) => {
    const url = await urlOf(t);
    const [sender, watcher] = [await openLayer(url), await open(t, url)];
    const id = await send(sender, { type: 'mail.good' });
    await sender.close();
    t.same(story(await watcher.trace(id)), [['sent', process.pid]]);
    t.match((await watcher.stats()).channels, [{ channel: 'mail', sent: 1, depth: 1 }]);
  });
}

t.test('a Python peer is counted in depth and peeked at, and notices nothing', async (t) => {
  const server = await RedisServer.start(t);
  const python = await PythonPeer.start(t, server.url);
  const layer = await open(t, server.url);
  for (const n of [1, 2]) await python.send('mail', { type: 'mail.good', n });
  await layer.send('mail', { type: 'mail.good', n: 3 });
  const own = await python.newChannel();
  await python.send(own, { type: 'mail.good', n: 4 });
  await python.groupAdd('room', own);
  t.match((await layer.stats()).channels, [
    { channel: 'mail', depth: 3, sent: 1 },
    { channel: 'specific.*!', depth: 1, sent: 0 },
  ]);
  t.same(
    (await layer.peek('mail')).map(({ message }) => message?.n),
    [1, 2, 3],
  );
  t.match(await layer.peek(own), [{ message: { n: 4 }, channels: [own] }]);
  t.match(await layer.groups(), [{ group: 'room', members: [{ channel: own }] }]);
  for (const n of [1, 2, 3]) t.match(await python.receive('mail'), { n });
  t.match(await python.receive(own), { n: 4 });
  await python.groupSend('room', { type: 'mail.good', n: 5 });
  t.match(await python.receive(own), { n: 5 });
  t.ok((await server.client(t).keys('asgi:xray:*')).length > 0, 'there was something to be disturbed by');
  await python.flush();
  t.same(await server.client(t).keys('*'), []);
});

t.test('what cannot be read is shown as such, and stays', async (t) => {
  const server = await RedisServer.start(t);
  const layer = await open(t, server.url);
  await server.client(t).zadd('asgimail', Date.now() / 1000, 'no message at all');
  const [peeked] = await layer.peek('mail');
  t.match(peeked, { message: undefined, error: { code: 'CHANNELS_ERR_UNDECODABLE' }, bytes: 17 });
  t.match((await layer.stats()).channels, [{ channel: 'mail', depth: 1 }]);
});

t.test('keys of other programs are left alone', async (t) => {
  const server = await RedisServer.start(t);
  const client = server.client(t);
  await client.set('asgi-text', 'text');
  await client.hset('asgi-hash', 'field', 'value');
  await client.zadd('asgi:mine', 1, 'member');
  await client.zadd('other', 1, 'member');
  await client.zadd('asgimail$inflight', 1, 'member');
  t.same((await (await open(t, server.url)).stats()).channels, []);
});

t.test('flush removes what the X-ray keeps on Redis', async (t) => {
  const server = await RedisServer.start(t);
  const layer = await open(t, server.url);
  await send(layer, { type: 'mail.good' });
  await layer.stats();
  await layer.trace('0123456789abcdef');
  t.ok((await server.client(t).keys('asgi:xray:*')).length >= 3);
  await layer.flush();
  t.same(await server.client(t).keys('*'), []);
});

t.test('while Redis is away looking fails, and what was counted is told when it is back', async (t) => {
  const server = await RedisServer.start(t, { persistent: true });
  const layer = new RedisChannelLayer({ hosts: [server.url], timeoutMs: 500 });
  t.teardown(() => layer.close());
  await layer.send('mail', { type: 'mail.good' });
  await server.stop();
  const away = { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE' };
  await t.rejects(layer.stats(), away);
  await t.rejects(layer.peek('mail'), away);
  await t.rejects(layer.groups(), away);
  await t.rejects(layer.trace('0123456789abcdef'), away);
  await server.restart();
  await until('Redis is back and has the counts', async () => {
    try {
      const { channels } = await layer.stats();
      return channels[0]?.sent === 1;
    } catch (error) {
      if ((error as { code?: string }).code !== away.code) throw error;
      return false;
    }
  });
  t.match((await layer.stats()).channels, [{ channel: 'mail', depth: 1, sent: 1 }]);
});

async function open(t: Test, url: string): Promise<ChannelLayer> {
  const layer = await openLayer(url, { capacity: 2000 });
  t.teardown(() => layer.close());
  return layer;
}

/** Returns the id. */
async function send(layer: ChannelLayer, message: { readonly type: string }): Promise<string> {
  const receipt = new Receipt();
  await layer.send('mail', message, { receipt });
  return receipt.id() ?? '';
}

function story({ events }: Trace): Array<[string, number]> {
  return events.map(({ event, process: { pid } }) => [event, pid]);
}
