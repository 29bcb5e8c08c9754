import t from 'tap';
import type { BaseRequest } from '../../../src/rules/base-request.js';
import type { Job } from '../../../src/runs/job.js';
import { RunLostError } from '../../../src/runs/run-writes.js';
import { type Bench, openBench } from '../../support/site.js';

const hourly = { every: 3600, everyUnit: 'secondly' } as const;

/** Runs what was asked for, and whatever is asked for meanwhile. */
async function drain(bench: Bench): Promise<void> {
  for (let rounds = 0; rounds < 10; rounds++) {
    await bench.tasks.run();
    await bench.tasks.settled();
  }
}

async function oldestFirst(bench: Bench): Promise<Job[]> {
  return (await bench.jobs.list({ limit: 100 })).reverse();
}

t.test(
  'a further attempt gets the arguments again, its number, and what the one before has left',
  async (t) => {
    const bench = await openBench(t);
    await bench.join();
    const seen: unknown[] = [];
    bench.add(
      'import_orders',
      async (ar: BaseRequest) => {
        seen.push([ar.attempt, ar.args, ar.lastCheckpoint, ar.dueAt]);
        await ar.checkpoint({ next: ar.attempt * 10 });
        const [{ checkpoint } = { checkpoint: null }] = await bench.jobs.list({ limit: 1 });
        seen.push(checkpoint);
        if (ar.attempt < 3) throw new Error('not yet');
        await ar.checkpoint(null);
      },
      { ...hourly, onFailure: 'retry', retryDelaySeconds: 0 },
    );
    await bench.tasks.setup();
    await bench.requests.add(1, 'run', 'robin', { args: { file: 'a.csv' } });
    await drain(bench);
    t.same(seen, [
      [1, { file: 'a.csv' }, null, null],
      { next: 10 },
      [2, { file: 'a.csv' }, { next: 10 }, null],
      { next: 20 },
      [3, { file: 'a.csv' }, { next: 20 }, null],
      { next: 30 },
    ]);
    t.match(await oldestFirst(bench), [
      { attempt: 1, status: 'failed', cause: 'threw' },
      { attempt: 2, status: 'failed' },
      { attempt: 3, status: 'done', cause: null, checkpoint: null },
    ]);
  },
);

t.test('a run knows the time at which it was due', async (t) => {
  const bench = await openBench(t);
  const seen: Array<Date | null> = [];
  bench.add('tick', (ar: BaseRequest) => seen.push(ar.dueAt), { every: 10, everyUnit: 'secondly' });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  const dueAt = new Date(bench.clock.now());
  await drain(bench);
  t.same(seen, [dueAt]);
});

t.test('a run asks for a run of another rule, by procedure, name or number', async (t) => {
  const bench = await openBench(t);
  await bench.join();
  const seen: unknown[] = [];
  bench.add(
    'plan',
    async (ar: BaseRequest) => {
      seen.push(await ar.requestRun('print', { page: 1 }));
      await ar.requestRun('print at night', { page: 2 });
      await ar.requestRun(3, { page: 3 }, { priority: -1 });
      await ar.requestRun('nobody').catch((error: Error) => seen.push(error.message));
      await ar.requestRun(17).catch((error: Error) => seen.push(error.message));
      await ar.requestRun('print', 5n).catch((error: Error) => seen.push(error.message));
    },
    hourly,
  );
  const print = bench.add('print', (ar: BaseRequest) => seen.push([ar.user, ar.args]), {
    ...hourly,
    overlap: 'allow',
  });
  await bench.tasks.setup();
  await bench.tasks.createRule(print, 'print at night');
  await bench.requests.add(1, 'run', 'robin');
  await drain(bench);
  t.same(seen, [
    2,
    'expected the number or the name of a rule, got: "nobody"; linod rules lists them',
    'no job rule 17; there are 1, 2, 3',
    'args cannot be kept as JSON: Do not know how to serialize a BigInt',
    ['job 1', { page: 1 }],
    ['job 1', { page: 2 }],
    ['job 1', { page: 3 }],
  ]);
});

t.test('what a transaction of a run has written stands or falls together with its checkpoint', async (t) => {
  const bench = await openBench(t);
  await bench.join();
  bench.add(
    'count',
    async (ar: BaseRequest) => {
      await ar.transaction(async (tx) => {
        await ar.checkpoint('kept', tx);
        await ar.requestRun('count', 'kept', { tx, runAt: new Date(ar.now().getTime() + 60_000) });
      });
      await ar.transaction(async (tx) => {
        await ar.checkpoint('taken back', tx);
        await ar.requestRun('count', 'taken back', { tx });
        throw new Error('in the middle');
      });
    },
    hourly,
  );
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'robin');
  await drain(bench);
  t.match(await oldestFirst(bench), [{ status: 'failed', message: /in the middle/, checkpoint: 'kept' }]);
  const rows = await bench.store.db.selectFrom('job_requests').select('args').orderBy('id').execute();
  t.same(rows, [{ args: null }, { args: '"kept"' }]);
});

t.test('what would wait for its own transaction is refused, with what to do', async (t) => {
  const bench = await openBench(t);
  bench.add(
    'knot',
    async (ar: BaseRequest) => {
      await ar.transaction(async () => await ar.checkpoint(1));
    },
    hourly,
  );
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'robin');
  await drain(bench);
  t.match(await oldestFirst(bench), [
    { status: 'failed', message: /hand it on, as in ar\.checkpoint\(value, tx\)/ },
  ]);
});

t.test('a run that was given up writes nothing more, whichever way it tries', async (t) => {
  const bench = await openBench(t);
  const other = await openBench(t, { workerId: 'w2', store: bench.store, clock: bench.clock });
  await other.join();
  const refused: unknown[] = [];
  bench.add(
    'paused',
    async (ar: BaseRequest) => {
      // Its worker is not among the living: to the others it is gone.
      await other.ends.giveUpLost();
      const tries = [
        () => ar.transaction(async (tx) => await tx.deleteFrom('decisions').execute()),
        () => ar.checkpoint('mine'),
        () => ar.requestRun('paused'),
      ];
      for (const attempt of tries) await attempt().catch((error: unknown) => refused.push(error));
    },
    hourly,
  );
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'robin');
  await drain(bench);
  t.equal(refused.length, 3);
  for (const error of refused) t.ok(error instanceof RunLostError && error.code === 'LINOD_ERR_RUN_LOST');
  t.match(await oldestFirst(bench), [{ status: 'lost', checkpoint: null }]);
  t.ok((await bench.store.db.selectFrom('decisions').selectAll().execute()).length > 0);
  t.equal((await bench.store.db.selectFrom('job_requests').selectAll().execute()).length, 1);
});

t.test('while a transaction of a run holds its job, what it logs waits, and comes afterwards', async (t) => {
  const bench = await openBench(t);
  await bench.join();
  bench.add(
    'long',
    async (ar: BaseRequest) => {
      await ar.transaction(async () => {
        ar.info('in the middle');
        ar.progress(1, 2);
        bench.clock.advance(500);
        await new Promise((resolve) => setImmediate(resolve));
      });
    },
    hourly,
  );
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'robin');
  await drain(bench);
  t.match(await oldestFirst(bench), [{ status: 'done', progress: { done: 1, total: 2 } }]);
  t.match(await bench.jobs.lines(1), [{ text: 'in the middle' }]);
});
