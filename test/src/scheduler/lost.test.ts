// Runs whose worker has died: which of them are given up, and what follows.

import t, { type Test } from 'tap';
import type { ScheduleOptions } from '../../../src/rules/procedure.js';
import { gate } from '../../support/gate.js';
import { type Bench, openBench } from '../../support/site.js';
import { reasons } from '../../support/tasks.js';
import { until } from '../../support/until.js';

const hourly = { everyUnit: 'hourly' } as const;
const never = () => gate().promise;

/** A further worker of the site. */
async function worker(t: Test, { store, clock }: Bench, workerId: string): Promise<Bench> {
  return await openBench(t, { store, clock, workerId });
}

/** One worker after the other takes the run and dies; tells how many did before nobody took it any more. */
async function killWorkers(t: Test, options: ScheduleOptions): Promise<{ bench: Bench; deaths: number }> {
  const bench = await openBench(t, { workerId: 'w0' });
  bench.add('killer', never, options);
  await bench.tasks.setup();
  bench.clock.advance(3_600_000);
  let next = bench;
  for (let deaths = 0; ; deaths++) {
    await next.tasks.run();
    if ((await next.jobs.running()).length === 0) return { bench, deaths };
    next = await worker(t, bench, `w${deaths + 1}`);
    next.add('killer', never, options);
    t.equal((await next.ends.giveUpLost()).length, 1);
  }
}

async function statuses({ jobs }: Bench): Promise<unknown[]> {
  return (await jobs.list()).reverse().map(({ attempt, status }) => `${attempt} ${status}`);
}

t.test('of several workers, what the dead one ran is given up, and nothing else', async (t) => {
  const first = await openBench(t, { workerId: 'w0' });
  const benches = [first, await worker(t, first, 'w1'), await worker(t, first, 'w2')];
  const ends = gate();
  for (const [i, bench] of benches.entries()) {
    await bench.join();
    bench.add('quick', () => undefined, { everyUnit: 'yearly' });
    bench.add('long', () => ends.promise, { everyUnit: 'yearly', overlap: 'allow' });
    if (i === 0) await bench.tasks.setup();
    for (const rule of [1, 2]) await bench.requests.add(rule, 'run', 'ann');
    await bench.tasks.run();
    // Of those of the first rule each has ended before the next is asked for.
    const goingOn = () => bench.jobs.list({ ruleId: 1, status: 'running' });
    await until('it has ended', async () => (await goingOn()).length === 0);
  }
  await first.requests.add(1, 'run', 'bob');
  await first.store.db.updateTable('workers').set({ stopped_at: 1 }).where('id', '=', 'w1').execute();
  const lost = await first.ends.giveUpLost();
  t.match(lost, [{ ruleId: 2, workerId: 'w1', status: 'lost' }]);
  t.equal(lost.length, 1);
  const jobs = await first.jobs.list();
  t.same(jobs.map(({ workerId, status }) => `${workerId} ${status}`).sort(), [
    'w0 done',
    'w0 running',
    'w1 done',
    'w1 lost',
    'w2 done',
    'w2 running',
  ]);
  t.equal((await first.requests.open(9)).length, 1);
  t.same(await first.ends.giveUpLost(), [], 'and it is given up once');
  ends.open();
});

t.test('what kills its worker each time is run again as often as retries say, then cancelled', async (t) => {
  const { bench, deaths } = await killWorkers(t, { ...hourly, onLost: 'run-again', retries: 2 });
  t.equal(deaths, 3);
  t.same(await statuses(bench), ['1 lost', '2 lost', '3 lost']);
  t.match(await bench.tasks.status(), [/cancelled at .*the last of 3 attempts was lost \(job 3\)/]);
});

t.test('unless a rule says otherwise a lost run is not run again, and its next time comes', async (t) => {
  const { bench, deaths } = await killWorkers(t, hourly);
  t.equal(deaths, 1);
  t.same(await statuses(bench), ['1 lost']);
  const next = await worker(t, bench, 'next');
  next.add('killer', () => undefined, hourly);
  bench.clock.advance(3_600_000);
  await next.tasks.run();
  await next.tasks.settled();
  t.same(await statuses(bench), ['1 lost', '1 done']);
});

t.test('with cancel no further run begins after a lost one', async (t) => {
  const { bench, deaths } = await killWorkers(t, { ...hourly, onLost: 'cancel' });
  t.equal(deaths, 1);
  t.match(await bench.tasks.status(), [/cancelled at .*job 1 was lost/]);
});

t.test('when all attempts are lost, the rule goes on where it does so after failures', async (t) => {
  const options = { ...hourly, onFailure: 'continue', onLost: 'run-again', retries: 1 } as const;
  const { bench, deaths } = await killWorkers(t, options);
  t.equal(deaths, 2);
  t.match(await bench.tasks.status(), [/next run at: 2026-11-24T14:00:00/]);
  const next = await worker(t, bench, 'next');
  next.add('killer', () => undefined, options);
  bench.clock.advance(3_600_000);
  await next.tasks.run();
  await next.tasks.settled();
  t.same(await statuses(bench), ['1 lost', '2 lost', '1 done']);
});

t.test('a run that was lost with all its attempts is one failure of those in a row', async (t) => {
  const options = { ...hourly, onLost: 'run-again', retries: 1, cancelAfter: 2 } as const;
  const { bench } = await killWorkers(t, options);
  t.match(await bench.rules.get(1), { cancelledAt: null, failuresInRow: 1 });
});

t.test('the end of a run that a stopping worker ends is a loss', async (t) => {
  const bench = await openBench(t);
  for (const onLost of ['continue', 'run-again', 'cancel'] as const)
    bench.add(onLost, never, { ...hourly, onLost, graceSeconds: 0 });
  await bench.tasks.setup();
  bench.clock.advance(3_600_000);
  await bench.tasks.run();
  bench.tasks.abortAll('interrupted by a restart', 0);
  bench.clock.advance(0);
  await bench.tasks.settled();
  t.match(await bench.jobs.list(), Array(3).fill({ status: 'lost', message: /^interrupted by a restart; / }));
  t.match(await bench.requests.open(9), [{ ruleId: 2, attempt: 2 }], 'one is run again');
  t.match(await bench.tasks.status(), [/next run at/, /next run at/, /cancelled at .*job 3 was lost/]);
  t.match(await reasons(bench), ['started', /^lost job 1: interrupted by a restart; /]);
});

t.test('a person who has ended a run has ended it, though the worker stops then', async (t) => {
  const bench = await openBench(t);
  bench.add('long', never, { ...hourly, onLost: 'run-again' });
  await bench.tasks.setup();
  bench.clock.advance(3_600_000);
  await bench.tasks.run();
  await bench.requests.add(1, 'cancel', 'ann');
  await bench.tasks.run();
  bench.tasks.abortAll('interrupted by a restart', 0);
  bench.clock.advance(0);
  await bench.tasks.settled();
  t.match(await bench.jobs.list(), [{ status: 'cancelled', message: /^cancelled by ann/ }]);
  t.same(await bench.requests.open(9), []);
});

t.test('of runs that are lost together, one whose rule the other cancels is told to end there', async (t) => {
  const bench = await openBench(t, { workerId: 'w0' });
  const options = { ...hourly, overlap: 'allow', onLost: 'run-again', retries: 1 } as const;
  bench.add('killer', never, options);
  await bench.tasks.setup();
  for (const by of ['ann', 'bob']) await bench.requests.add(1, 'run', by);
  await bench.tasks.run();
  await bench.store.db.updateTable('jobs').set({ attempt: 2 }).where('id', '=', 1).execute();
  t.equal((await bench.ends.giveUpLost()).length, 2);
  t.same(await bench.requests.open(9), []);
  t.ok((await bench.rules.get(1)).cancelled);
  t.match(
    (await reasons(bench)).at(-1),
    /^skipped attempt 2, after job 2, which was lost: the rule is not active/,
  );
});
