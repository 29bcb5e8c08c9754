// What is due is run: by whom, when, and side by side with what.

import t from 'tap';
import type { BaseRequest } from '../../../src/rules/base-request.js';
import { Procedure } from '../../../src/rules/procedure.js';
import { gate } from '../../support/gate.js';
import { noon, openBench } from '../../support/site.js';
import { every10, nothing, oldestFirst, reasons } from '../../support/tasks.js';
import { until } from '../../support/until.js';

t.test('run starts what is due and says when to call it again', async (t) => {
  const bench = await openBench(t);
  const seen: number[] = [];
  bench.add('tick', (ar: BaseRequest) => seen.push(ar.now().getTime()), every10);
  await bench.tasks.setup();
  t.same(await bench.tasks.run(), new Date(noon + 10_000), 'nothing is due at first');
  bench.clock.advance(10_000);
  t.same(await bench.tasks.run(), new Date(noon + 20_000));
  await bench.tasks.settled();
  t.same(seen, [noon + 10_000]);
  t.match(await oldestFirst(bench), [
    {
      id: 1,
      ruleId: 1,
      status: 'done',
      dueAt: new Date(noon + 10_000),
      startDatetime: new Date(noon + 10_000),
    },
  ]);
  t.same(await reasons(bench), ['started']);
});

t.test('with no rule at all run wants to be called again within a minute', async (t) => {
  const bench = await openBench(t);
  t.same(await bench.tasks.run(), new Date(noon + 60_000));
});

t.test('rules run side by side, and one that hangs delays no other', async (t) => {
  const bench = await openBench(t);
  const hanging = gate();
  bench.add('hang', () => hanging.promise, every10);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  for (let i = 0; i < 3; i++) {
    bench.clock.advance(10_000);
    await bench.tasks.run();
    await until(
      'the job is done',
      async () => (await bench.jobs.list({ ruleId: 2, status: 'done' })).length === i + 1,
    );
  }
  t.same(await reasons(bench, 1), [
    'started',
    'skipped job 1 was still running, for 10 s',
    'skipped job 1 was still running, for 20 s',
  ]);
  t.match(await bench.tasks.status(), [
    'Job rule #1 <Procedures.hang every 10 secondly> running since 2026-11-24T12:00:10+00:00 (job 1), next run at: 2026-11-24T12:00:40+00:00',
    /next run at/,
  ]);
  hanging.open();
  await bench.tasks.settled();
});

t.test('no more jobs run than there are places; who waited for one is late and says why', async (t) => {
  const bench = await openBench(t, { maxJobs: 2 });
  const gates = [gate(), gate(), gate()];
  for (const [i, { promise }] of gates.entries())
    bench.add(`job${i}`, () => promise, { every: 1, everyUnit: 'hourly' });
  await bench.tasks.setup();
  bench.clock.advance(3_600_000);
  await bench.tasks.run();
  t.equal(bench.tasks.running.length, 2);
  bench.clock.advance(60_000);
  t.same(
    await bench.tasks.run(),
    new Date(bench.clock.now() + 1000),
    'there is nothing to do until a run ends',
  );
  t.equal(bench.tasks.running.length, 2);
  gates[0]?.open();
  await until('a run has ended', () => bench.tasks.running.length === 1);
  await bench.tasks.run();
  t.same(await reasons(bench, 3), ['late by 1 min: all job slots were taken']);
  for (const { open } of gates) open();
  await bench.tasks.settled();
});

t.test('two workers run one due time once', async (t) => {
  const first = await openBench(t, { workerId: 'w1' });
  const second = await openBench(t, { workerId: 'w2', store: first.store, clock: first.clock });
  let runs = 0;
  for (const bench of [first, second])
    for (let i = 0; i < 20; i++) bench.add(`p${i}`, () => void runs++, every10);
  await first.tasks.setup();
  for (let i = 1; i <= 5; i++) {
    first.clock.advance(10_000);
    await Promise.all([first.tasks.run(), second.tasks.run()]);
    await Promise.all([first.tasks.settled(), second.tasks.settled()]);
    t.equal(runs, i * 10 * 2, `after ${i} due times`);
  }
  const jobs = await first.jobs.list({ limit: 1000 });
  t.equal(new Set(jobs.map((job) => `${job.ruleId} ${job.dueAt?.getTime()}`)).size, 100);
});

t.test('a procedure behaves as a choice of the original', async (t) => {
  const procedure = new Procedure('tick', nothing, every10, 'test');
  t.match(procedure, { value: 'tick', name: 'tick', text: 'tick', every: 10, everyUnit: 'secondly' });
});

t.test(
  'during a deployment a worker leaves the rules of procedures that it does not have to the others',
  async (t) => {
    const old = await openBench(t, { workerId: 'old' });
    const fresh = await openBench(t, { workerId: 'new', store: old.store, clock: old.clock });
    fresh.add('added', nothing, every10);
    await fresh.tasks.setup();
    old.clock.advance(10_000);
    t.same(await old.tasks.run(), new Date(old.clock.now() + 60_000), 'the old one has nothing to do');
    await old.requests.add(1, 'run', 'robin');
    await old.tasks.run();
    t.same(await oldestFirst(old), []);
    await fresh.tasks.run();
    await fresh.tasks.settled();
    t.match(await oldestFirst(old), [{ workerId: 'new', status: 'done' }]);
  },
);

t.test('one rule that cannot be read stops no other', async (t) => {
  const bench = await openBench(t);
  bench.add('broken', nothing, every10);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  await bench.store.db.updateTable('job_rules').set({ timezone: 'Mars/X' }).where('id', '=', 1).execute();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await oldestFirst(bench), [{ ruleId: 2, status: 'done' }]);
  t.match(
    await bench.store.db
      .selectFrom('job_rules')
      .select('cancelled_reason')
      .where('id', '=', 1)
      .executeTakeFirst(),
    {
      cancelled_reason: /^failed: .*Mars\/X/,
    },
  );
});
