import { createRequire } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import {
  InMemoryChannelLayer,
  openLayer,
  RedisChannelLayer,
  RedisPubSubChannelLayer,
  SqliteChannelLayer,
} from '../../channels/index.js';
import { testDirectory } from '../support/directory.js';

const loaded = createRequire(import.meta.url).cache;
const isLoaded = (name: string) =>
  Object.keys(loaded ?? {}).some((file) => file.includes(`/node_modules/${name}/`));

t.test('a memory layer is opened without any driver', async (t) => {
  const layer = await openLayer('memory:', { capacity: 1 });
  t.teardown(() => layer.close());
  t.ok(layer instanceof InMemoryChannelLayer);
  await layer.send('a', { type: 'test' });
  await t.rejects(layer.send('a', { type: 'test' }), { code: 'CHANNELS_ERR_CHANNEL_FULL', capacity: 1 });
  t.equal(isLoaded('better-sqlite3'), false);
  t.equal(isLoaded('ioredis'), false);
});

t.test('a SQLite layer is opened by the path in its URL, without the driver of Redis', async (t) => {
  const path = join(testDirectory(t), 'channels.db');
  const one = await openLayer(`sqlite:${path}`, { capacity: 1 });
  const two = await openLayer(`sqlite://${path}`);
  t.teardown(() => Promise.all([one.close(), two.close()]));
  t.ok(one instanceof SqliteChannelLayer);
  await one.send('a', { type: 'test' });
  t.same(await two.receive('a'), { type: 'test' }, 'both URLs mean the same file');
  t.equal(isLoaded('better-sqlite3'), true);
  t.equal(isLoaded('ioredis'), false);
});

t.test('a PubSub layer is opened by a URL that says so, and connects later', async (t) => {
  for (const url of [
    'redis+pubsub://localhost:1',
    'rediss+pubsub://user:pass@localhost:1',
    'REDIS+PubSub://a',
  ]) {
    const layer = await openLayer(url, { prefix: 'my:', capacity: 5 });
    t.ok(layer instanceof RedisPubSubChannelLayer, url);
    await layer.close();
  }
  await t.rejects(openLayer('redis+pubsub://localhost:port'), { code: 'CHANNELS_ERR_INVALID_OPTION' });
});

t.test('a Redis layer is opened by a URL of a server or of a socket, and connects later', async (t) => {
  for (const url of [
    'redis://localhost:1/2',
    'REDIS://localhost:1',
    'rediss://localhost:1',
    'unix:///no/socket?db=1',
    'redis+sentinel://localhost:1,localhost:2/main',
    ['redis://localhost:1', 'redis://localhost:2'],
  ]) {
    const layer = await openLayer(url, { prefix: 'demo' });
    t.ok(layer instanceof RedisChannelLayer, String(url));
    await layer.close();
  }
});

t.test('any other URL is refused with those that are allowed, and shows no password', async (t) => {
  const refused = [
    ...['', 'channels.db', '/var/lib/channels.db', 'postgres://user:secret@host/db', 'http://secret@host'],
    ...['//user:secret@host', 'secret', ':secret', 'sqlite:', 'sqlite://'],
    ...['redis://user:secret@host:notaport', 'redis://user:secret@host/notadb', 'redis://:secret@'],
  ];
  for (const url of refused) {
    const error = await openLayer(url).then(
      async (layer) => {
        await layer.close();
        return undefined;
      },
      (error: unknown) => error,
    );
    t.match(error, { code: 'CHANNELS_ERR_INVALID_OPTION' }, url);
    t.notMatch(String(error), 'secret');
    t.notMatch(JSON.stringify(error), 'secret');
  }
  await t.rejects(openLayer('postgres://user:secret@host/db'), {
    message: 'expected layer to be a URL with memory:, sqlite:, redis:, rediss: or unix:, got: "postgres:"',
  });
});

t.test("options are checked by the layer's own rules", async (t) => {
  for (const url of ['memory:', 'sqlite:unused.db', 'redis://localhost:1']) {
    await t.rejects(openLayer(url, { capacity: 0 }), {
      code: 'CHANNELS_ERR_INVALID_OPTION',
      option: 'capacity',
    });
    await t.rejects(openLayer(url, { expiry: -1 }), {
      code: 'CHANNELS_ERR_INVALID_OPTION',
      option: 'expiry',
    });
  }
});
