// What is told of a transaction is told once, and only when it is committed; and what is known of the past is bounded.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { bells, doorbellPath } from '../../channels/layers/sqlite/doorbell.js';
import { LayerFile } from '../../channels/layers/sqlite/layer-file.js';
import type { LeasePolicy } from '../../channels/layers/sqlite/lease-store.js';
import { mostCounts, type XrayStore } from '../../channels/layers/sqlite/xray-store.js';
import { SqliteChannelLayer } from '../../channels/layers/sqlite.js';
import { countsKeptMs } from '../../channels/xray/source.js';
import { testDirectory } from '../support/directory.js';
import { until } from '../support/until.js';

function openFile(t: Test): LayerFile {
  const file = new LayerFile(join(testDirectory(t), 'layer.db'), () => {});
  t.teardown(() => file.close());
  return file;
}

t.test(
  'a message that becomes a dead letter is told once, though the transaction was begun again',
  async (t) => {
    const file = openFile(t);
    const [key, body] = ['chat', Buffer.from('body')];
    const buried: unknown[] = [];
    const policy: LeasePolicy = {
      expiryMs: 60_000,
      dead: {
        ...{ maxDeliveries: 1, key: 'chat.dead', capacity: 10, expiryMs: 60_000 },
        wrap: () => Buffer.from('letter'),
        onBuried: (of) => buried.push(of),
      },
    };
    const lend = (now: number) =>
      file.use((store) => store.leases.take({ key, limit: 1, now, leaseMs: 10, policy }));
    file.use((store) => store.put({ key, channels: [key], body, expiresAt: 60_000, capacity: 10, now: 0 }));
    t.equal(lend(0).length, 1);
    t.throws(() =>
      file.use((store) =>
        store.atomically(() => {
          store.leases.take({ key, limit: 1, now: 20, leaseMs: 10, policy });
          throw new Error('the lock was lost');
        }),
      ),
    );
    t.same(buried, [], 'nothing of it has happened');
    t.equal(lend(20).length, 0);
    t.same(buried, [body]);
  },
);

t.test('closing makes no new file where the old one was deleted', async (t) => {
  const path = join(testDirectory(t), 'layer.db');
  const layer = new SqliteChannelLayer({ path });
  await layer.send('chat', { type: 'x' });
  for (const name of [path, `${path}-wal`, `${path}-shm`, ...bells.map((bell) => doorbellPath(path, bell))])
    rmSync(name, { force: true });
  await layer.close();
  t.notOk(existsSync(path));
});

function count(store: XrayStore, channels: readonly string[], now: number): void {
  const process = { id: 'p', name: 'test', pid: 1, host: 'here', startedAt: 0 };
  const counts = channels.map(
    (channel) => [channel, { sent: 1, received: 0, refused: 0, dropped: 0, redelivered: 0 }] as const,
  );
  const common = { number: 1, receives: [], keepPieces: 0, holdsEvents: false, isLast: false };
  store.publish({ ...common, process, counts }, now);
}

t.test('what was counted before the clock was set back is forgotten, too', async (t) => {
  const file = openFile(t);
  const channels = file.use(({ xray }) => {
    count(xray, ['of the future'], 10 * countsKeptMs);
    count(xray, ['of today'], countsKeptMs);
    xray.sweep(countsKeptMs);
    return xray.counts().map(({ channel }) => channel);
  });
  t.same(channels, ['of today']);
});

t.test('the counts of so many channels are kept, those that were used last', async (t) => {
  const file = openFile(t);
  const kept = file.use((store) =>
    store.atomically(() => {
      count(store.xray, ['oldest'], 1);
      const others = Array.from({ length: mostCounts }, (_, i) => `channel${i}`);
      count(store.xray, others, 2);
      store.xray.sweep(3);
      return store.xray.counts().map(({ channel }) => channel);
    }),
  );
  t.equal(kept.length, mostCounts);
  t.notOk(kept.includes('oldest'));
});

t.test('a process whose clock was set back goes on with its sweeps', async (t) => {
  const path = join(testDirectory(t), 'layer.db');
  let now = 100 * countsKeptMs;
  const layer = new SqliteChannelLayer({ path, now: () => now });
  t.teardown(() => layer.close());
  await layer.send('early', { type: 'x' });
  await layer.stats();
  now = countsKeptMs;
  await layer.send('late', { type: 'x' });
  await until('the counts of the future are gone', async () => {
    const { channels } = await layer.stats();
    return channels.find(({ channel }) => channel === 'early')?.sent === 0;
  });
});
