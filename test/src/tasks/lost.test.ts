// Runs whose worker has died: which of them are given up, and what follows.

import t, { type Test } from 'tap';
import type { ScheduleOptions } from '../../../src/procedure.js';
import { gate } from '../../support/gate.js';
import { type Bench, openBench } from '../../support/site.js';
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
  t.match(await bench.tasks.status(), [/cancelled at .*job 3 was lost 3 times/]);
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
