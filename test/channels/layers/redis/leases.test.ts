// Leases on Redis: what lies there, whose clock counts, and what Python peers see of it.

import t, { type Test } from 'tap';
import { type DroppedMessage, type Leased, Worker } from '../../../../channels/index.js';
import { RedisChannelLayer, type RedisLayerOptions } from '../../../../channels/layers/redis/layer.js';
import { patientMs } from '../../../support/patience.js';
import { PythonPeer } from '../../../support/python-peer.js';
import { RedisServer } from '../../../support/redis.js';
import { turns, until } from '../../../support/until.js';
import { Wire } from '../../../support/wire.js';

const server = await RedisServer.start(t);
let prefixes = 0;
const longMs = 60_000;

function open(t: Test, options: RedisLayerOptions = {}): RedisChannelLayer {
  const layer = new RedisChannelLayer({ hosts: [server.url], timeoutMs: patientMs, ...options });
  t.teardown(() => layer.close());
  return layer;
}

function newPrefix(): string {
  return `leases${++prefixes}:`;
}

async function lease(layer: RedisChannelLayer, channel: string, leaseMs: number): Promise<Leased> {
  const [leased] = await layer.receiveMany(channel, { lease: leaseMs, max: 1, waitMs: 10_000 });
  if (leased === undefined) throw new Error(`nothing arrived on ${channel}`);
  return leased;
}

t.test(
  'what is on lease lies under keys that are no channels, and goes with the acknowledgement',
  async (t) => {
    const prefix = newPrefix();
    const raw = server.client(t);
    const layer = open(t, { prefix });
    const keys = async () => (await raw.keys(`${prefix}*`)).sort();
    await layer.send('chat', { type: 'x' });
    const leased = await lease(layer, 'chat', 5000);
    t.same(await keys(), [`${prefix}:lease:chat`, `${prefix}:leased:chat`]);
    for (const key of await keys()) {
      const ttlMs = await raw.pttl(key);
      t.ok(
        ttlMs > 60_000 && ttlMs <= 65_000,
        `${key} lives for the lease and the expiry after it: ${ttlMs} ms`,
      );
    }
    await leased.release();
    t.same(await keys(), [`${prefix}:again:chat`]);
    t.ok((await raw.pttl(`${prefix}:again:chat`)) > 0);
    t.equal(await (await lease(layer, 'chat', 5000)).ack(), true);
    t.same(await keys(), []);
  },
);

t.test('the end of a lease is a matter of the server, whatever the clocks of the machines say', async (t) => {
  const prefix = newPrefix();
  const offMs = 30_000;
  const early = open(t, { prefix, now: () => Date.now() - offMs });
  const late = open(t, { prefix, now: () => Date.now() + offMs });
  await early.send('chat', { type: 'x' });
  const first = await lease(early, 'chat', longMs);
  t.same(await late.receiveMany('chat', { lease: longMs, waitMs: 50 }), [], 'a clock that is ahead');
  await first.release();
  const from = performance.now();
  await lease(late, 'chat', 60);
  t.match(await lease(early, 'chat', longMs), { deliveries: 3 }, 'one that is behind');
  t.ok(performance.now() - from >= 58);
});

t.test('a message that Python sends wakes who waits for it on lease', async (t) => {
  const prefix = newPrefix();
  const layer = open(t, { prefix });
  const python = await PythonPeer.start(t, server.url, ['--prefix', prefix]);
  for (let n = 0; n < 10; n++) {
    const waiting = lease(layer, 'chat', longMs);
    await turns(n % 4);
    await python.send('chat', { type: 'x', n });
    const leased = await waiting;
    t.match(leased, { message: { type: 'x', n }, deliveries: 1 });
    t.equal(await leased.ack(), true);
  }
});

t.test('Python never gets what is on lease, nor what comes again', async (t) => {
  const prefix = newPrefix();
  const layer = open(t, { prefix });
  const python = await PythonPeer.start(t, server.url, ['--prefix', prefix]);
  await layer.send('chat', { type: 'x', n: 1 });
  const leased = await lease(layer, 'chat', longMs);
  const atPython = python.receive('chat');
  await leased.release();
  await layer.send('chat', { type: 'x', n: 2 });
  t.match(await atPython, { n: 2 });
  t.match(await lease(layer, 'chat', longMs), { message: { n: 1 }, deliveries: 2 });
  // Python takes its copy away when it has handed the message out.
  const client = server.client(t);
  await until('there is no copy', async () => (await client.exists(`${prefix}chat$inflight`)) === 0);
});

t.test(
  'an encrypted message may be as old as it likes when it comes again, and as a dead letter',
  async (t) => {
    let now = Date.now();
    const prefix = newPrefix();
    const dropped: DroppedMessage[] = [];
    const layer = open(t, {
      prefix,
      symmetricEncryptionKeys: ['secret'],
      maxDeliveries: 2,
      now: () => now,
      onDrop: (drop) => dropped.push(drop),
    });
    await layer.send('chat', { type: 'x', text: 'tere' });
    const first = await lease(layer, 'chat', longMs);
    now += 3_600_000;
    await first.release();
    const second = await lease(layer, 'chat', longMs);
    t.match(second, { message: { text: 'tere' }, deliveries: 2 });
    await second.release();
    t.same(await layer.receiveMany('chat', { lease: longMs, waitMs: 0 }), []);
    await until('it is buried', () => dropped.length > 0);
    now += 3_600_000;
    t.match(await layer.receive('chat.dead'), { type: 'dead.letter', message: { text: 'tere' } });
    t.match(dropped, [{ channel: 'chat', reason: 'dead' }]);
  },
);

t.test('a message that expired before anybody took it is not leased', async (t) => {
  let now = Date.now();
  const dropped: DroppedMessage[] = [];
  const layer = open(t, { prefix: newPrefix(), now: () => now, onDrop: (drop) => dropped.push(drop) });
  await layer.send('chat', { type: 'x', n: 1 });
  now += 61_000;
  const waiting = lease(layer, 'chat', longMs);
  await until('it is dropped', () => dropped.length > 0);
  await layer.send('chat', { type: 'x', n: 2 });
  t.match(await waiting, { message: { n: 2 } });
  t.same(dropped, [{ channel: 'chat', reason: 'expired' }]);
});

t.test('bytes that are no message are dropped, told, and do not come again', async (t) => {
  const prefix = newPrefix();
  const dropped: DroppedMessage[] = [];
  const layer = open(t, { prefix, onDrop: (drop) => dropped.push(drop) });
  const raw = server.client(t);
  await raw.zadd(`${prefix}chat`, Date.now() / 1000, Buffer.from('123456789012\xc1', 'latin1'));
  await layer.send('chat', { type: 'x' });
  t.match(await lease(layer, 'chat', longMs), { message: { type: 'x' } });
  t.match(dropped, [{ channel: 'chat', reason: 'undecodable' }]);
  await until('it is gone', async () => (await raw.hlen(`${prefix}:leased:chat`)) === 1);
});

t.test('a worker acknowledges once more what it handled while its connection was lost', async (t) => {
  const wire = await Wire.start(t, server.port);
  const hosts = [`redis://127.0.0.1:${wire.port}`];
  const layer = open(t, { hosts, prefix: newPrefix(), timeoutMs: 500, blockMs: 500 });
  await layer.send('chat', { type: 'x' });
  const events: string[] = [];
  const stopping = new AbortController();
  const worker = new Worker({
    application: async (_scope, receive) => {
      for (;;) {
        await receive();
        wire.cut();
      }
    },
    layer,
    channels: ['chat'],
    lease: longMs,
    onEvent: ({ type }) => events.push(type),
  });
  const done = worker.run(stopping.signal);
  await until('it is handled', () => worker.stats()[0]?.handled === 1);
  stopping.abort();
  await done;
  t.notOk(events.includes('notAcknowledged'));
  t.same((await layer.stats()).channels, []);
});

t.test('who waits for a message on lease gets one after the server was restarted', async (t) => {
  const own = await RedisServer.start(t);
  const layer = open(t, { hosts: [own.url] });
  await layer.send('chat', { type: 'x', n: 1 });
  t.equal(await (await lease(layer, 'chat', longMs)).ack(), true);
  const waiting = layer.receive('chat', { lease: longMs });
  const raw = own.client(t);
  const isWaiting = async () => (await raw.info('clients')).includes('blocked_clients:1\r\n');
  await until('the wait is known to the server', isWaiting);
  await own.restart();
  await until('and again', isWaiting);
  await layer.send('chat', { type: 'x', n: 2 });
  const leased = await waiting;
  t.match(leased, { message: { n: 2 }, deliveries: 1 });
  t.equal(await leased.ack(), true);
});

t.test('with several hosts, what lies on any of them comes, and comes again', async (t) => {
  const [one, two] = [await RedisServer.start(t), await RedisServer.start(t)];
  const hosts = [one.url, two.url];
  const [sender, receiver] = [open(t, { hosts }), open(t, { hosts })];
  for (let n = 0; n < 6; n++) await sender.send('chat', { type: 'x', n });
  const first: Leased[] = [];
  while (first.length < 6)
    first.push(...(await receiver.receiveMany('chat', { lease: longMs, waitMs: 10_000 })));
  t.same(first.map(({ message }) => Number(message.n)).sort(), [0, 1, 2, 3, 4, 5]);
  for (const leased of first) t.equal(await leased.release(), true);
  const again: unknown[] = [];
  while (again.length < 6) {
    const leased = await lease(receiver, 'chat', longMs);
    t.equal(leased.deliveries, 2);
    t.equal(await leased.ack(), true);
    again.push(leased.message.n);
  }
  t.same(again.sort(), [0, 1, 2, 3, 4, 5]);
});
