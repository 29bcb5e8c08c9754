// Due times are claimed shortly before, so that the runs begin on time.

import t from 'tap';
import { aheadMs } from '../../../src/tasks/tasks.js';
import { noon, openBench } from '../../support/site.js';
import { turns, until } from '../../support/until.js';

const every10 = { every: 10, everyUnit: 'secondly' } as const;
const due = noon + 10_000;

t.test('a run that is claimed before its time begins when it has come, and not before', async (t) => {
  const bench = await openBench(t);
  const begun: number[] = [];
  for (const name of ['one', 'two']) bench.add(name, (ar) => begun.push(ar.now().getTime()), every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000 - aheadMs);
  t.same(await bench.tasks.run(), new Date(due + 10_000 - aheadMs), 'both are claimed');
  const jobs = await bench.jobs.running();
  t.match(jobs, [
    { dueAt: new Date(due), startDatetime: new Date(due) },
    { dueAt: new Date(due), startDatetime: new Date(due) },
  ]);
  bench.clock.advance(aheadMs - 1);
  await turns(20);
  t.same(begun, []);
  bench.clock.advance(1);
  await bench.tasks.settled();
  t.same(begun, [due, due]);
  const entries = await bench.store.db.selectFrom('decisions').select(['reason', 'due_at']).execute();
  t.same(entries, [
    { reason: 'started', due_at: due },
    { reason: 'started', due_at: due },
  ]);
});

t.test('what speaks against a run before its time counts only when the time has come', async (t) => {
  const bench = await openBench(t);
  let end: () => void = () => undefined;
  let runs = 0;
  bench.add('long', () => ++runs === 1 && new Promise<void>((resolve) => (end = resolve)), every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  bench.clock.advance(10_000 - aheadMs);
  t.same(await bench.tasks.run(), new Date(due + 10_000), 'it is looked at again at its time');
  t.same(await bench.store.db.selectFrom('decisions').select('reason').execute(), [{ reason: 'started' }]);
  end();
  await bench.tasks.settled();
  bench.clock.advance(aheadMs);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.equal(runs, 2, 'the run before has ended meanwhile');
});

t.test('what is cancelled before its time is not begun', async (t) => {
  const bench = await openBench(t);
  let runs = 0;
  bench.add('quick', () => runs++, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000 - aheadMs);
  await bench.tasks.run();
  await bench.requests.addCancel(1, 'robin');
  await bench.tasks.run();
  bench.clock.advance(aheadMs);
  await bench.tasks.settled();
  t.equal(runs, 0);
  t.match(await bench.jobs.list({ limit: 1 }), [{ status: 'cancelled', message: /cancelled by robin/ }]);
});

t.test('when the clock is set back meanwhile, what was claimed begins at once', async (t) => {
  const bench = await openBench(t);
  let runs = 0;
  bench.add('quick', () => runs++, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000 - aheadMs);
  await bench.tasks.run();
  bench.clock.setTo(noon - 3_600_000);
  bench.clock.advance(aheadMs);
  await bench.tasks.settled();
  t.equal(runs, 1);
});

t.test(
  'a worker that was suspended before a run began leaves it alone if it was given up meanwhile',
  async (t) => {
    const bench = await openBench(t);
    let runs = 0;
    bench.add('quick', () => runs++, every10);
    await bench.tasks.setup();
    bench.clock.advance(10_000 - aheadMs);
    await bench.tasks.run();
    await bench.store.db.updateTable('jobs').set({ status: 'lost' }).execute();
    bench.clock.setTo(due + 60_000);
    bench.clock.advance(aheadMs);
    await until('it is told', () => bench.records.some((record) => record.includes('job 1 is not begun')));
    t.equal(runs, 0);
    t.match(await bench.jobs.list({ limit: 1 }), [{ status: 'lost' }]);
  },
);

t.test('a worker that was suspended only for itself begins it late', async (t) => {
  const bench = await openBench(t);
  let runs = 0;
  bench.add('quick', () => runs++, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000 - aheadMs);
  await bench.tasks.run();
  bench.clock.setTo(due + 60_000);
  bench.clock.advance(aheadMs);
  await bench.tasks.settled();
  t.equal(runs, 1);
});
