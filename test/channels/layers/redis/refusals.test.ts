// What Redis answers when it will not, and connections on which nothing is answered: docs/explanation/channels.md, "When Redis is
// away". Restarts, kills and hanging servers are in outage.test.ts, fail-overs in servers.test.ts.

import type { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import {
  type ConnectionChange,
  type LayerWarning,
  RedisChannelLayer,
  type RedisLayerOptions,
} from '../../../../channels/layers/redis/layer.js';
import { RedisServer } from '../../../support/redis.js';
import { until } from '../../../support/until.js';
import { Wire } from '../../../support/wire.js';

const unavailable = { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE' };

function open(t: Test, server: RedisServer, options: RedisLayerOptions = {}): RedisChannelLayer {
  const layer = new RedisChannelLayer({ hosts: [server.url], ...options });
  t.teardown(() => layer.close());
  return layer;
}

t.test('CLIENT PAUSE: senders are told in time, receivers wait, and both go on', async (t) => {
  const server = await RedisServer.start(t);
  const raw = server.client(t);
  const layer = open(t, server, { timeoutMs: 200 });
  const waiting = layer.receive('chat');
  await blocked(raw, 1);
  await raw.call('CLIENT', 'PAUSE', '60000', 'WRITE');
  await t.rejects(layer.send('chat', { type: 'x' }), { ...unavailable, reason: 'unreachable' });
  await raw.call('CLIENT', 'UNPAUSE');
  await untilSent(layer);
  t.strictSame(await waiting, { type: 'x' });
});

t.test('a read on a dead connection is noticed soon after it should have ended', async (t) => {
  const server = await RedisServer.start(t);
  const wire = await Wire.start(t, server.port);
  // With a second in the place of ten.
  const timing = { blockMs: 1000, timeoutMs: 200 };
  const layer = open(t, server, { hosts: [`redis://127.0.0.1:${wire.port}`], ...timing });
  const raw = server.client(t);
  const waiting = layer.receive('chat');
  const reader = async () => {
    const clients = String(await raw.call('CLIENT', 'LIST'));
    return /^id=(\d+) .* cmd=bzpopmin/m.exec(clients)?.[1];
  };
  await until('it reads', async () => (await reader()) !== undefined);
  const first = await reader();
  wire.cut();
  await until('another connection reads', async () => ![first, undefined].includes(await reader()));
  const sender = open(t, server);
  await sender.send('chat', { type: 'x' });
  t.match(await waiting, { type: 'x' });
});

t.test('a command on a dead connection is given up in time, and the next one goes through', async (t) => {
  const server = await RedisServer.start(t);
  const wire = await Wire.start(t, server.port);
  const layer = open(t, server, { hosts: [`redis://127.0.0.1:${wire.port}`], timeoutMs: 200 });
  await layer.send('chat', { type: 'before' });
  wire.cut();
  await t.rejects(layer.send('chat', { type: 'x' }), {
    ...unavailable,
    message: /didn't receive any in 200ms/,
  });
  await layer.send('chat', { type: 'after' });
  t.equal(await server.client(t).zcard('asgichat'), 2);
});

t.test(
  'maxmemory reached: what a called-off receive was given goes back, and leases are extended',
  async (t) => {
    const server = await RedisServer.start(t);
    const raw = server.client(t);
    const sender = open(t, server);
    await sender.send('other', { type: 'x' });
    const [member = Buffer.alloc(0)] = await raw.zrangeBuffer('asgiother', 0, '-1');
    const leased = await sender.receive('other', { lease: 60_000 });
    const layer = open(t, server);
    const calledOff = new AbortController();
    const aborted = t.rejects(layer.receive('chat', { signal: calledOff.signal }));
    await blocked(raw, 1);
    // In one step, so that the message comes when there is no memory any more.
    const filling = raw
      .multi()
      .zadd('asgichat', String(Date.now() / 1000), member)
      .config('SET', 'maxmemory', '1')
      .exec();
    calledOff.abort();
    await Promise.all([aborted, filling]);
    t.equal(await leased.extend(60_000), true);
    await layer.close();
    t.strictSame(await sender.receiveMany('chat', { waitMs: 0 }), [{ type: 'x' }]);
  },
);

t.test('maxmemory reached: senders are told, receivers go on and make room', async (t) => {
  const server = await RedisServer.start(t);
  const raw = server.client(t);
  const layer = open(t, server);
  await layer.send('chat', { type: 'x' });
  await layer.groupAdd('room', 'chat');
  await raw.config('SET', 'maxmemory', '1');
  const refused = { ...unavailable, reason: 'out-of-memory', message: /refused: OOM/ };
  await t.rejects(layer.send('chat', { type: 'x' }), refused);
  await t.rejects(layer.groupSend('room', { type: 'x' }), refused);
  await t.rejects(layer.groupAdd('room', 'other'), refused);
  t.strictSame(await layer.receive('chat'), { type: 'x' });
  await raw.config('SET', 'maxmemory', '0');
  await layer.send('chat', { type: 'after' });
  t.strictSame(await layer.receive('chat'), { type: 'after' });
});

t.test(
  'maxmemory reached: who comes while others wait has not to wait for the end of their read',
  async (t) => {
    const server = await RedisServer.start(t);
    const raw = server.client(t);
    const layer = open(t, server, { blockMs: 60_000 });
    await layer.send('chat', { type: 'x' });
    const waiting = t.rejects(layer.receive('other'), { code: 'CHANNELS_ERR_LAYER_CLOSED' });
    await blocked(raw, 1);
    await raw.config('SET', 'maxmemory', '1');
    t.strictSame(await layer.receiveMany('chat', { waitMs: 15_000 }), [{ type: 'x' }]);
    await layer.close();
    await waiting;
  },
);

t.test('a master that becomes a replica counts as away until it is a master again', async (t) => {
  const [server, other] = [await RedisServer.start(t), await RedisServer.start(t)];
  const raw = server.client(t);
  const changes: ConnectionChange[] = [];
  const layer = open(t, server, { timeoutMs: 300, onConnection: (change) => changes.push(change) });
  await layer.send('warm', { type: 'x' });
  const waiting = layer.receive('chat');
  await blocked(raw, 1);
  await raw.replicaof('127.0.0.1', other.port);
  const readOnly = { ...unavailable, reason: 'read-only' };
  await t.rejects(layer.send('chat', { type: 'x' }), readOnly, 'which it answers');
  await t.rejects(layer.send('chat', { type: 'x' }), readOnly, 'which it is known to be');
  await raw.replicaof('NO', 'ONE');
  await untilSent(layer);
  t.strictSame(await waiting, { type: 'x' });
  t.match(changes, [
    { host: `127.0.0.1:${server.port}`, connected: false, error: readOnly },
    { connected: true },
  ]);
  t.equal(changes.length, 2);
});

t.test('a server that loads its data counts as away until it has', async (t) => {
  const server = await RedisServer.start(t);
  const raw = server.client(t);
  raw.on('error', () => undefined);
  await raw.mset(...Array.from({ length: 2000 }, (_, n) => [`key${n}`, 'x'.repeat(100)]).flat());
  const layer = open(t, server, { timeoutMs: 200 });
  await layer.send('chat', { type: 'kept' });
  await raw.save();
  // Half a millisecond a key: it loads for about a second, and answers now and then meanwhile.
  const slowly = ['--key-load-delay', '500', '--loading-process-events-interval-bytes', '1024'];
  await server.restartLoading(slowly);
  await t.rejects(layer.send('chat', { type: 'x' }), {
    ...unavailable,
    reason: 'loading',
    message: /refused: LOADING/,
  });
  t.strictSame(await layer.receive('chat'), { type: 'kept' }, 'a receiver waits until it is loaded');
});

t.test('a wrong password is told apart from a server that is away', async (t) => {
  const server = await RedisServer.start(t, { args: ['--requirepass', 'pw'] });
  const layer = open(t, server, { timeoutMs: 300 });
  await t.rejects(layer.send('chat', { type: 'x' }), {
    ...unavailable,
    reason: 'access-denied',
    message: /NOAUTH/,
  });
});

t.test('a server that may throw messages away is warned of, once', async (t) => {
  const policies: ReadonlyArray<readonly [string, string, number]> = [
    ['0', 'allkeys-lru', 0],
    ['100mb', 'noeviction', 0],
    ['100mb', 'allkeys-lru', 1],
    ['100mb', 'volatile-ttl', 1],
  ];
  const server = await RedisServer.start(t);
  const raw = server.client(t);
  for (const [maxmemory, policy, expected] of policies) {
    await raw.config('SET', 'maxmemory', maxmemory);
    await raw.config('SET', 'maxmemory-policy', policy);
    const warnings: LayerWarning[] = [];
    const layer = open(t, server, { onWarning: (warning) => warnings.push(warning) });
    await layer.send('chat', { type: 'x' });
    await layer.receive('chat');
    await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await untilSent(layer);
    t.equal(warnings.length, expected, `${maxmemory} ${policy}`);
    if (expected > 0)
      t.same(warnings, [
        {
          code: 'may-evict',
          host: `127.0.0.1:${server.port}`,
          text: `Redis at 127.0.0.1:${server.port} throws away messages when its memory gets short: its maxmemory-policy is ${policy}; set it to noeviction`,
        },
      ]);
  }
});

t.test('of two hosts one is away: general channels use the other, and receivers hear both', async (t) => {
  const [one, two] = [await RedisServer.start(t), await RedisServer.start(t)];
  const layer = open(t, one, { hosts: [one.url, two.url], timeoutMs: 200 });
  const waiting = layer.receive('chat');
  await blocked(two.client(t), 1);
  await one.kill();
  // Noticed by the first who sends there; from then on it is left out.
  const outcomes = await Promise.allSettled([1, 2].map((n) => layer.send('chat', { type: 'x', ...{ n } })));
  t.ok(outcomes.filter(({ status }) => status === 'rejected').length <= 1);
  t.match(await waiting, { type: 'x' });
  for (let n = 0; n < 4; n++) await layer.send('chat', { type: 'y', ...{ n } });
  const received = [];
  for (let n = 0; n < 4; n++) received.push(await layer.receive('chat'));
  t.ok(received.every(({ type }) => type === 'y' || type === 'x'));
  const after = layer.receive('other');
  await one.restart();
  const raw = one.client(t);
  await blocked(raw, 1);
  await raw.zadd('asgiother', Date.now() / 1000, Buffer.concat([Buffer.alloc(12), Buffer.from([0x80])]));
  t.strictSame(await after, {}, 'from the one that came back');
});

/** Waits until so many clients are blocked. */
async function blocked(raw: Redis, count: number): Promise<void> {
  await until(`${count} clients are blocked`, async () =>
    (await raw.info('clients')).includes(`blocked_clients:${count}\r\n`),
  );
}

/** Sends as soon as Redis takes it. */
async function untilSent(layer: RedisChannelLayer): Promise<void> {
  for (;;) {
    try {
      return await layer.send('chat', { type: 'x' });
    } catch (error) {
      if ((error as { code?: string }).code !== unavailable.code) throw error;
    }
  }
}
