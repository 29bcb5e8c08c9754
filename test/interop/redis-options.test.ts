// Python's channels_redis and our layer with the options on which both have to agree: hosts, serializer, keys.

import t, { type Test } from 'tap';
import { Float } from '../../channels/codec/msgpack.js';
import { RedisChannelLayer, type RedisLayerOptions } from '../../channels/layers/redis/layer.js';
import { patientMs } from '../support/patience.js';
import { PythonPeer } from '../support/python-peer.js';
import { RedisServer } from '../support/redis.js';

const servers = [await RedisServer.start(t), await RedisServer.start(t)];
const urls = servers.map(({ url }) => url);
let prefixes = 0;

interface Pair {
  readonly ours: RedisChannelLayer;
  readonly theirs: PythonPeer;
  readonly prefix: string;
}

/** A layer of ours and one of Python's with the same options. */
async function pair(
  t: Test,
  options: RedisLayerOptions,
  pythonOptions: readonly string[] = [],
): Promise<Pair> {
  const prefix = `options${++prefixes}:`;
  const hosts = options.hosts ?? urls.slice(0, 1);
  const ours = new RedisChannelLayer({ ...options, hosts, prefix, timeoutMs: patientMs });
  t.teardown(() => ours.close());
  const theirs = await PythonPeer.start(t, hosts.map(String), ['--prefix', prefix, ...pythonOptions]);
  return { ours, theirs, prefix };
}

/** One message through a general channel, a specific one and a group, both ways. */
async function exchange(t: Test, { ours, theirs }: Pair, message: { type: string }): Promise<void> {
  await ours.send('chat', message);
  t.strictSame(await theirs.receive('chat'), message, 'general, to Python');
  await theirs.send('chat', message);
  t.strictSame(await ours.receive('chat'), message, 'general, from Python');
  const [atOurs, atTheirs] = [await ours.newChannel(), await theirs.newChannel()];
  await ours.send(atTheirs, message);
  t.strictSame(await theirs.receive(atTheirs), message, 'specific, to Python');
  await theirs.send(atOurs, message);
  t.strictSame(await ours.receive(atOurs), message, 'specific, from Python');
  await theirs.groupAdd('room', atOurs);
  await ours.groupAdd('room', atTheirs);
  for (const sender of [ours, theirs]) {
    await sender.groupSend('room', message);
    t.strictSame(await theirs.receive(atTheirs), message, 'group, to Python');
    t.strictSame(await ours.receive(atOurs), message, 'group, to us');
  }
}

const message = {
  type: 'chat.message',
  text: 'Tere õhtust, 日本 😀 "\\\n\u007f',
  integers: [0, -1, 2 ** 32, Number.MAX_SAFE_INTEGER],
  floats: [0.1, -1.5e300, 5e-324, 1e-7],
  nested: { list: [null, true, [{ võti: 'väärtus' }]], empty: {} },
};

t.test('JSON crosses both ways, with integers of any size', async (t) => {
  const both = await pair(t, { serializer: 'json' }, ['--serializer', 'json']);
  await exchange(t, both, { ...message, ...{ big: [2n ** 80n, -(2n ** 64n)] } });
  await both.ours.send('chat', { type: 'x', ...{ whole: new Float(2), not: Number.NaN, all: -Infinity } });
  const [member] = await (servers[0] as RedisServer).client(t).zrangeBuffer(`${both.prefix}chat`, 0, '-1');
  t.equal(member?.subarray(12).toString(), '{"type": "x", "whole": 2.0, "not": NaN, "all": -Infinity}');
});

t.test('encrypted messages cross both ways, with either serializer', async (t) => {
  for (const serializer of ['msgpack', 'json'] as const) {
    const options = { serializer, symmetricEncryptionKeys: ['s3crét'] };
    await exchange(t, await pair(t, options, ['--serializer', serializer, '--key', 's3crét']), message);
  }
});

t.test('keys are changed one process after the other, and no message is lost', async (t) => {
  const old = await pair(t, { symmetricEncryptionKeys: ['old'] }, ['--key', 'old']);
  const step = (keys: readonly string[]) => {
    const layer = new RedisChannelLayer({
      hosts: urls.slice(0, 1),
      prefix: old.prefix,
      symmetricEncryptionKeys: keys,
    });
    t.teardown(() => layer.close());
    return layer;
  };
  const python = (...keys: string[]) =>
    PythonPeer.start(t, urls.slice(0, 1), ['--prefix', old.prefix, ...keys.flatMap((key) => ['--key', key])]);
  const newer = step(['new', 'old']);
  await old.theirs.send('chat', { type: 'old key' });
  t.strictSame(await newer.receive('chat'), { type: 'old key' });
  await newer.send('chat', { type: 'new key' });
  t.strictSame(await (await python('old', 'new')).receive('chat'), { type: 'new key' });
  await (await python('new', 'old')).send('chat', { type: 'new key' });
  t.strictSame(await step(['new']).receive('chat'), { type: 'new key' });
});

t.test('with two hosts everything arrives, both ways', async (t) => {
  const both = await pair(t, { hosts: urls });
  // Python receives from one host at a time, the one whose turn it is; here those turns are the same as the senders'.
  for (let n = 0; n < 3; n++) await exchange(t, both, message);
});

t.test(
  'specific channels of both languages are reached although Python sends by the full name',
  async (t) => {
    const { ours, theirs } = await pair(t, { hosts: urls });
    const channels = await Promise.all(Array.from({ length: 40 }, () => ours.newChannel()));
    const received = Promise.all(channels.map((channel) => ours.receive(channel)));
    for (const [n, channel] of channels.entries()) await theirs.send(channel, { type: 'x', n });
    t.strictSame(
      await received,
      channels.map((_, n) => ({ type: 'x', n })),
    );
    // The other way round: each of Python's arrives, since it is sent where Python listens.
    const theirChannels = await Promise.all(Array.from({ length: 20 }, () => theirs.newChannel()));
    for (const [n, channel] of theirChannels.entries()) await ours.send(channel, { type: 'x', ...{ n } });
    t.strictSame(
      await Promise.all(theirChannels.map((channel) => theirs.receive(channel))),
      theirChannels.map((_, n) => ({ type: 'x', n })),
    );
  },
);

t.test(
  'a general channel with two hosts: all that either sends is received, by receivers of both',
  async (t) => {
    const { ours, theirs } = await pair(t, { hosts: urls, capacity: 1000 }, ['--capacity', '1000']);
    const received: number[] = [];
    const total = 200;
    const collect = async (receive: () => Promise<unknown>) => {
      while (received.length < total) {
        const got = await receive();
        received.push(Number((got as { n?: unknown }).n));
      }
    };
    // Python waits on one host for ever, so the last messages are left to us.
    for (let n = 0; n < total; n += 2) {
      await ours.send('jobs', { type: 'x', ...{ n } });
      await theirs.send('jobs', { type: 'x', n: n + 1 });
    }
    for (let n = 0; n < 40; n++) received.push(Number(((await theirs.receive('jobs')) as { n?: unknown }).n));
    await collect(() => ours.receive('jobs'));
    t.same(
      received.sort((a, b) => a - b),
      Array.from({ length: total }, (_, n) => n),
    );
  },
);

t.test('what either flushes is gone on both hosts', async (t) => {
  const { ours, theirs, prefix } = await pair(t, { hosts: urls });
  const keys = async () =>
    (await Promise.all(servers.map((server) => server.client(t).keys(`${prefix}*`)))).flat();
  for (const flush of [() => ours.flush(), () => theirs.flush()]) {
    for (let n = 0; n < 4; n++) await ours.send(`chat${n}`, { type: 'x' });
    t.ok((await keys()).length >= 4);
    await flush();
    t.same(await keys(), []);
  }
});
