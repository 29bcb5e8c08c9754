// Which threads wait for the next run, and how long. What they say is another test's business: remote-run.test.ts.

import t, { type Test } from 'tap';
import { ownProgram } from '../../../../src/runs/remote/host.js';
import { HostPool } from '../../../../src/runs/remote/pool.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { until } from '../../../support/until.js';

const nothing = new URL('data:text/javascript,setInterval(() => undefined, 1000)');

function open(t: Test, url = nothing): { pool: HostPool; clock: ManualClock } {
  const clock = new ManualClock();
  const begin = { linod: 'begin', directory: '/', settings: {}, workerId: 'w1', pid: process.pid } as const;
  const pool = new HostPool({ program: { url, execArgv: [] }, begin, clock });
  t.teardown(() => pool.close());
  return { pool, clock };
}

t.test(
  'what was given back is taken again, the one that was used last, and only by a run with the same memory',
  async (t) => {
    const { pool } = open(t);
    const [first, second] = [
      pool.take({ kind: 'thread', memoryMb: 0 }),
      pool.take({ kind: 'thread', memoryMb: 0 }),
    ];
    t.not(first, second);
    pool.giveBack(first);
    pool.giveBack(second);
    const other = pool.take({ kind: 'thread', memoryMb: 50 });
    t.ok(other !== first && other !== second);
    t.equal(pool.take({ kind: 'thread', memoryMb: 0 }), second);
    t.equal(pool.take({ kind: 'thread', memoryMb: 0 }), first);
  },
);

t.test('no more than four of a kind wait, and none for longer than a minute', async (t) => {
  const { pool, clock } = open(t);
  const all = Array.from({ length: 6 }, () => pool.take({ kind: 'thread', memoryMb: 0 }));
  for (const host of all) pool.giveBack(host);
  await Promise.all(all.slice(0, 2).map((host) => host.ended));
  t.equal(pool.size, 4);
  clock.advance(59_999);
  const [last] = all.slice(-1);
  t.equal(pool.take({ kind: 'thread', memoryMb: 0 }), last, 'it waited until now');
  clock.advance(1);
  await Promise.all(all.slice(0, 5).map((host) => host.ended));
  t.equal(pool.size, 1, 'the one that is in use stays');
});

t.test('one that ends while it waits is not taken', async (t) => {
  const { pool } = open(t);
  const host = pool.take({ kind: 'thread', memoryMb: 0 });
  pool.giveBack(host);
  host.keep(true);
  host.kill();
  await host.ended;
  t.equal(pool.size, 0);
  t.not(pool.take({ kind: 'thread', memoryMb: 0 }), host);
});

t.test(
  'a process that was killed while it waits is not taken, though its last words may still come',
  async (t) => {
    const { pool } = open(t, ownProgram().url);
    const host = pool.take({ kind: 'process', memoryMb: 0 });
    pool.giveBack(host);
    host.keep(true);
    host.kill();
    await until('it is gone', () => host.isOver);
    t.not(pool.take({ kind: 'process', memoryMb: 0 }), host);
  },
);

t.test('closed, it has ended all of them, also those in use, and keeps none that comes back', async (t) => {
  const { pool } = open(t);
  const [used, waiting] = [
    pool.take({ kind: 'thread', memoryMb: 0 }),
    pool.take({ kind: 'thread', memoryMb: 0 }),
  ];
  pool.giveBack(waiting);
  await pool.close();
  await Promise.all([used.ended, waiting.ended]);
  t.equal(pool.size, 0);
  pool.giveBack(used);
  t.equal(pool.size, 0);
  await pool.close();
});
