// The Redis layer with the kinds of servers that people have: TLS, ACL, sockets, Sentinel, a cluster, Valkey.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { ConnectionChange } from '../../../../channels/layers/redis/connection/connection.js';
import { RedisChannelLayer, type RedisLayerOptions } from '../../../../channels/layers/redis/layer.js';
import { freePort, RedisServer } from '../../../support/redis.js';
import { SmallCluster, selfSignedCertificate, WatchedMaster } from '../../../support/redis-groups.js';
import { until } from '../../../support/until.js';

const unavailable = { code: 'CHANNELS_ERR_LAYER_UNAVAILABLE' };

function open(t: Test, options: RedisLayerOptions): RedisChannelLayer {
  const layer = new RedisChannelLayer(options);
  t.teardown(() => layer.close());
  return layer;
}

/** Everything that a layer does, once. */
async function use(t: Test, layer: RedisChannelLayer): Promise<void> {
  const own = await layer.newChannel();
  const waiting = [layer.receive('chat'), layer.receive(own)];
  await layer.send('chat', { type: 'general' });
  await layer.send(own, { type: 'specific' });
  t.strictSame(await Promise.all(waiting), [{ type: 'general' }, { type: 'specific' }]);
  await layer.groupAdd('room', own);
  await layer.groupAdd('room', 'chat');
  await layer.groupSend('room', { type: 'group' });
  t.strictSame(await layer.receive(own), { type: 'group' });
  await layer.flush();
  await layer.groupSend('room', { type: 'nobody' });
}

t.test('TLS, with the certificate of the authority from the URL or from options', async (t) => {
  const { cert, key } = selfSignedCertificate(t);
  const tlsPort = await freePort();
  const tls = ['--tls-port', String(tlsPort), '--tls-cert-file', cert, '--tls-key-file', key];
  await RedisServer.start(t, { args: [...tls, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no'] });
  const url = `rediss://127.0.0.1:${tlsPort}`;
  const trusting: RedisLayerOptions[] = [
    { hosts: [`${url}?ssl_ca_certs=${cert}`] },
    { hosts: [`${url}?ssl_cert_reqs=none`] },
    { hosts: [{ host: '127.0.0.1', port: tlsPort, tls: { ca: readFileSync(cert) } }] },
  ];
  for (const options of trusting) await use(t, open(t, { ...options, prefix: 'tls:' }));
  const distrusting = open(t, { hosts: [url], timeoutMs: 500 });
  await t.rejects(distrusting.send('chat', { type: 'x' }), {
    ...unavailable,
    reason: 'unreachable',
    message: /self-signed/,
  });
});

t.test('an ACL user with the rights of a layer, and one without', async (t) => {
  const server = await RedisServer.start(t);
  const raw = server.client(t);
  const rights = ['+@sortedset', '+@scripting', '+@connection', '+@keyspace', '+time', '-@dangerous'];
  await raw.call('ACL', 'SETUSER', 'app', 'on', '>pw', '~app:*', ...rights);
  await use(t, open(t, { hosts: [`redis://app:pw@127.0.0.1:${server.port}`], prefix: 'app:' }));
  const elsewhere = open(t, { hosts: [`redis://app:pw@127.0.0.1:${server.port}`], prefix: 'other:' });
  const denied = { ...unavailable, reason: 'access-denied', message: /NOPERM/ };
  await t.rejects(elsewhere.send('chat', { type: 'x' }), denied);
  await t.rejects(elsewhere.receive('chat'), denied);
});

t.test(
  'leases with the rights of a layer: a missing one is an error at once, and loses nothing',
  async (t) => {
    const server = await RedisServer.start(t);
    const raw = server.client(t);
    const rights = ['+@sortedset', '+@scripting', '+@connection', '+@keyspace', '-@dangerous'];
    const leasing = async (user: string, ...more: string[]) => {
      await raw.call('ACL', 'SETUSER', user, 'on', '>pw', '~asgi*', ...rights, ...more);
      return open(t, { hosts: [`redis://${user}:pw@127.0.0.1:${server.port}`] });
    };
    const lacking = [
      await leasing('plain'),
      await leasing('timeless', '+@hash'),
      await leasing('bare', '+time'),
    ];
    const lease = 60_000;
    const full = await leasing('full', '+@hash', '+time');
    await full.send('chat', { type: 'x' });
    for (const layer of lacking)
      await t.rejects(layer.receive('chat', { lease }), { ...unavailable, reason: 'access-denied' });
    const leased = await full.receive('chat', { lease });
    t.strictSame(leased.message, { type: 'x' });
    t.equal(await leased.extend(lease), true);
    t.equal(await leased.ack(), true);
  },
);

t.test('a socket', async (t) => {
  const server = await RedisServer.start(t);
  await use(t, open(t, { hosts: [`unix://${server.socketPath}?db=3`] }));
  await use(t, open(t, { hosts: [{ path: server.socketPath }] }));
});

t.test('Sentinel: a receiver waits through a fail-over, and senders find the new master', async (t) => {
  const watched = await WatchedMaster.start(t);
  const changes: ConnectionChange[] = [];
  const dead = await freePort();
  const hosts = [`redis+sentinel://127.0.0.1:${dead},127.0.0.1:${watched.sentinelPort}/${watched.name}`];
  const layer = open(t, { hosts, timeoutMs: 500, onConnection: (change) => changes.push(change) });
  await use(t, layer);
  const waiting = layer.receive('chat');
  await watched.master.kill();
  await untilSent(layer);
  t.strictSame(await waiting, { type: 'x' });
  t.match(changes, [{ connected: false, error: unavailable }, { connected: true }]);
  const raw = watched.replica.client(t);
  t.match(await raw.info('replication'), /role:master/);
});

t.test('Sentinel: a receiver that is blocked on a master that hangs goes on with the new one', async (t) => {
  const watched = await WatchedMaster.start(t);
  const dead = await freePort();
  const hosts = [`redis+sentinel://127.0.0.1:${dead},127.0.0.1:${watched.sentinelPort}/${watched.name}`];
  // By itself a blocked read would notice it after this time, when the test has failed.
  const layer = open(t, { hosts, timeoutMs: 500, blockMs: 60_000 });
  await use(t, layer);
  const waiting = layer.receive('chat');
  const raw = watched.master.client(t);
  await until('the receiver is blocked', async () =>
    (await raw.info('clients')).includes('blocked_clients:1\r\n'),
  );
  watched.master.pause();
  t.teardown(() => watched.master.continue());
  await untilSent(layer);
  t.strictSame(await waiting, { type: 'x' });
});

t.test('Sentinel: one that knows no such master is an error', async (t) => {
  const watched = await WatchedMaster.start(t);
  const layer = open(t, {
    hosts: [`redis+sentinel://127.0.0.1:${watched.sentinelPort}/other`],
    timeoutMs: 300,
  });
  await t.rejects(layer.send('chat', { type: 'x' }), {
    ...unavailable,
    message: /No such master/,
  });
});

t.test('a cluster: all keys lie on one node, and are followed when the slot moves', async (t) => {
  const cluster = await SmallCluster.start(t);
  const [first, second] = cluster.nodes;
  // Asked at the node that has nothing.
  const hosts = [{ cluster: [['127.0.0.1', second.port]] as const }];
  // A slot with keys in it cannot be moved like this.
  const layer = open(t, { hosts, prefix: '{asgi}' });
  await use(t, layer);
  const waiting = layer.receive('chat');
  const raw = first.client(t);
  await until('a client is blocked', async () =>
    (await raw.info('clients')).includes('blocked_clients:1\r\n'),
  );
  await cluster.moveSlotOf('{asgi}');
  await layer.send('chat', { type: 'moved' });
  t.strictSame(await waiting, { type: 'moved' }, 'the sender is not bothered, the receiver goes on');
  await layer.send('chat', { type: 'x' });
  t.same(await second.client(t).keys('*'), ['{asgi}chat']);
});

const valkey = spawnSync('valkey-server', ['--version']).status === 0;
t.test('Valkey', { skip: valkey ? false : 'valkey-server is not installed' }, async (t) => {
  const server = await RedisServer.start(t, { program: 'valkey-server' });
  await use(t, open(t, { hosts: [server.url] }));
});

async function untilSent(layer: RedisChannelLayer): Promise<void> {
  for (;;) {
    try {
      return await layer.send('chat', { type: 'x' });
    } catch (error) {
      if ((error as { code?: string }).code !== unavailable.code) throw error;
    }
  }
}
