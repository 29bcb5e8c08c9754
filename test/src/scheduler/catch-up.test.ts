// What becomes of due times that passed while nothing could run.

import t, { type Test } from 'tap';
import type { ScheduleOptions } from '../../../src/rules/procedure.js';
import { gate } from '../../support/gate.js';
import { type Bench, noon, openBench } from '../../support/site.js';
import { turns } from '../../support/until.js';

const hourMs = 3_600_000;
const every4Hours = { cron: '0 */4 * * *', misfire: 'run-all' } as const;

async function open(t: Test, options: ScheduleOptions): Promise<Bench> {
  const bench = await openBench(t);
  bench.add('tick', () => undefined, options);
  await bench.tasks.setup();
  return bench;
}

/** Runs what is due until nothing is. */
async function runAll(bench: Bench): Promise<void> {
  do {
    await bench.tasks.run();
    await bench.tasks.settled();
    // It may wait for a run of the other worker, whose end is written in a later turn of the event loop.
    await turns(1);
  } while (
    ((await bench.rules.get(1)).nextDueAt?.getTime() ?? Number.POSITIVE_INFINITY) <= bench.clock.now()
  );
}

/** For which times there are jobs, in the order of their beginning, in hours since noon. */
async function ranFor(bench: Bench, ruleId = 1): Promise<number[]> {
  const jobs = await bench.jobs.list({ ruleId, limit: 100 });
  return jobs.reverse().map(({ dueAt }) => ((dueAt?.getTime() ?? Number.NaN) - noon) / hourMs);
}

async function dropped(bench: Bench, ruleId = 1): Promise<number> {
  const rows = await bench.store.db
    .selectFrom('decisions')
    .select('times')
    .where('rule_id', '=', ruleId)
    .where('reason', '=', 'dropped')
    .execute();
  return rows.reduce((sum, { times }) => sum + times, 0);
}

t.test('within the window each due time is run, in their order; what is older is told', async (t) => {
  for (const [offHours, expected, older] of [
    [5, [4], 0],
    [25, [4, 8, 12, 16, 20, 24], 0],
    [49, [28, 32, 36, 40, 44, 48], 6],
  ] as const) {
    const bench = await open(t, { ...every4Hours, misfireWindowSeconds: 86_400 });
    bench.clock.advance(offHours * hourMs);
    await runAll(bench);
    t.same(await ranFor(bench), expected, `off for ${offHours} hours`);
    t.equal(await dropped(bench), older, `off for ${offHours} hours`);
  }
});

t.test('what is as old as the window is still made up for, and nothing that is older', async (t) => {
  for (const [ms, expected] of [
    [0, [4, 8]],
    [1, [8]],
  ] as const) {
    const bench = await open(t, { ...every4Hours, misfireWindowSeconds: 4 * 3600 });
    bench.clock.advance(8 * hourMs + ms);
    await runAll(bench);
    t.same(await ranFor(bench), expected, `${ms} ms later`);
  }
});

t.test('a worker that starts again makes up for nothing a second time', async (t) => {
  const bench = await open(t, every4Hours);
  bench.clock.advance(25 * hourMs);
  await runAll(bench);
  const { store, clock } = bench;
  const next = await openBench(t, { store, clock, workerId: 'w2' });
  next.add('tick', () => undefined, every4Hours);
  await next.tasks.setup();
  await runAll(next);
  t.same(await ranFor(next), [4, 8, 12, 16, 20, 24]);
  clock.advance(3 * hourMs);
  await runAll(next);
  t.same(await ranFor(next), [4, 8, 12, 16, 20, 24, 28]);
});

t.test('two workers that start at once make up for each due time once', async (t) => {
  const bench = await open(t, every4Hours);
  const { store, clock } = bench;
  const other = await openBench(t, { store, clock, workerId: 'w2' });
  other.add('tick', () => undefined, every4Hours);
  clock.advance(25 * hourMs);
  await Promise.all([runAll(bench), runAll(other)]);
  t.same(await ranFor(bench), [4, 8, 12, 16, 20, 24]);
});

t.test('through several due times in which there is no place, a rule waits for one run', async (t) => {
  const bench = await openBench(t, { maxJobs: 1 });
  const long = gate();
  bench.add('long', () => long.promise, { everyUnit: 'yearly' });
  bench.add('tick', () => undefined, { cron: '0 */4 * * *' });
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'ann');
  await bench.tasks.run();
  for (let i = 0; i < 3; i++) {
    bench.clock.advance(4 * hourMs);
    await bench.tasks.run();
  }
  t.same(await ranFor(bench, 2), []);
  long.open();
  await bench.tasks.settled();
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(await ranFor(bench, 2), [4]);
  t.equal(await dropped(bench, 2), 2);
  t.same((await bench.rules.get(2)).nextDueAt, new Date(noon + 16 * hourMs));
});
