import { spawn } from 'node:child_process';
import t, { type Test } from 'tap';
import { isSuspended, ownProcess, processStart } from '../../../src/base/process-owner.js';
import { Lease, leaseMs } from '../../../src/membership/lease.js';
import { StartOrders } from '../../../src/membership/start-orders.js';
import { silentAfterMs, WorkerRegistry } from '../../../src/membership/worker-registry.js';
import { ownMigrations } from '../../../src/store/migrations/index.js';
import { openStore } from '../../../src/store/store.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { migratedDatabase } from '../../support/database.js';
import { testDirectory } from '../../support/directory.js';
import { until } from '../../support/until.js';

async function open(t: Test) {
  const clock = new ManualClock();
  const store = await openStore({
    url: await migratedDatabase(t, testDirectory(t)),
    migrations: [ownMigrations],
    clock,
  });
  t.teardown(() => store.close());
  const member = async (owner = ownProcess()) => {
    clock.advance(1);
    const registry = new WorkerRegistry(store.db, clock, owner);
    await registry.join(['linod_test'], '0');
    return registry;
  };
  return { clock, db: store.db, member };
}

t.test('a worker whose process is gone is marked dead at once', async (t) => {
  const { member } = await open(t);
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const pid = child.pid ?? 0;
  const gone = await member({ ...ownProcess(), pid, start: processStart(pid) ?? '' });
  const living = await member();
  t.same(await living.markDead({ judgeSilence: true }), []);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  t.same(await living.markDead({ judgeSilence: true }), [{ id: gone.id, why: `its process ${pid} is gone` }]);
  t.same(
    (await living.living()).map((row) => row.id),
    [living.id],
  );
  t.same(await living.markDead({ judgeSilence: true }), [], 'it is reported once');
});

t.test('a pid that is used again does not keep a dead worker alive', async (t) => {
  const { member } = await open(t);
  const earlier = await member({ ...ownProcess(), start: '1' });
  const living = await member();
  t.match(await living.markDead({ judgeSilence: true }), [{ id: earlier.id }]);
});

t.test('a worker of another machine counts as dead after a long silence', async (t) => {
  const { clock, member } = await open(t);
  const far = await member({ host: 'elsewhere', pid: 1, start: '1' });
  const living = await member();
  clock.advance(silentAfterMs - 1);
  t.same(await living.markDead({ judgeSilence: true }), []);
  clock.advance(1);
  t.same(await living.markDead({ judgeSilence: false }), [], 'a command does not judge silence');
  t.same(await living.markDead({ judgeSilence: true }), [
    { id: far.id, why: 'it has sent no heartbeat for 25 s' },
  ]);
});

t.test('after an outage of the database, the other workers have time for a heartbeat', async (t) => {
  const { clock, member } = await open(t);
  const far = await member({ host: 'elsewhere', pid: 1, start: '1' });
  const living = await member();
  await living.beat();
  clock.advance(10 * silentAfterMs);
  await living.beat();
  t.same(await living.markDead({ judgeSilence: true }), [], 'its heartbeats may have been lost');
  for (let waitedMs = 0; waitedMs < silentAfterMs; waitedMs += 5000) {
    clock.advance(5000);
    await living.beat();
  }
  t.same(await living.markDead({ judgeSilence: true }), []);
  clock.advance(1);
  t.match(await living.markDead({ judgeSilence: true }), [{ id: far.id }]);
});

t.test('a silent worker of this machine counts as busy, unless its process is suspended', async (t) => {
  const { clock, member } = await open(t);
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  t.teardown(() => child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  const busy = await member({ ...ownProcess(), pid, start: processStart(pid) ?? '' });
  const living = await member();
  clock.advance(10 * silentAfterMs);
  t.same(await living.markDead({ judgeSilence: true }), []);
  child.kill('SIGSTOP');
  await until('it is stopped', () => isSuspended({ ...ownProcess(), pid, start: '' }));
  t.match(await living.markDead({ judgeSilence: true }), [{ id: busy.id }]);
});

t.test(
  'a worker that was marked dead learns that at its next heartbeat, and is a member again',
  async (t) => {
    const { clock, member } = await open(t);
    const sleepy = await member({ host: 'elsewhere', pid: 1, start: '1' });
    const living = await member();
    t.ok(await sleepy.beat());
    clock.advance(silentAfterMs + 1);
    await living.beat();
    await living.markDead({ judgeSilence: true });
    t.notOk(await sleepy.beat());
    t.ok(await sleepy.beat());
    t.equal((await living.living()).length, 2);
  },
);

t.test('a lease has one owner until it is released or expires, or its owner is gone', async (t) => {
  const { clock, db, member } = await open(t);
  const [first, second] = [await member(), await member()];
  const a = new Lease(db, clock, 'log', first.id);
  const b = new Lease(db, clock, 'log', second.id);
  t.ok(await a.acquire());
  t.notOk(await b.acquire());
  clock.advance(leaseMs - 1);
  t.ok(await a.acquire(), 'renewed');
  clock.advance(leaseMs - 1);
  t.notOk(await b.acquire());
  clock.advance(1);
  t.ok(await b.acquire(), 'it had expired');
  t.notOk(await a.acquire());
  t.notOk(a.held, 'it knows');
  await a.release();
  t.notOk(await a.acquire(), 'only its owner can release a lease');
  await b.release();
  t.ok(await a.acquire());
  await first.leave();
  t.ok(await b.acquire(), 'its owner has stopped');
});

t.test('each new owner gets a higher fence number', async (t) => {
  const { clock, db, member } = await open(t);
  const a = new Lease(db, clock, 'log', (await member()).id);
  const b = new Lease(db, clock, 'log', (await member()).id);
  const fences: number[] = [];
  for (const lease of [a, b, a]) {
    await lease.acquire();
    fences.push((await db.selectFrom('leases').select('fence').executeTakeFirstOrThrow()).fence);
    await lease.release();
  }
  t.same(fences, [1, 2, 3]);
});

t.test('a start order is stored once', async (t) => {
  const { clock, db } = await open(t);
  const orders = new StartOrders(db, clock);
  t.same(await orders.list(), []);
  await orders.add('run.system.tasks', 'robin');
  await orders.add('run.system.tasks', 'kim');
  await orders.add('log.server', 'kim');
  t.same(await orders.list(), ['log.server', 'run.system.tasks']);
});
