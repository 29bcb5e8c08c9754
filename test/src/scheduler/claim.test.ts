import t from 'tap';
import { readDue } from '../../../src/scheduler/due.js';
import { openBench } from '../../support/site.js';
import { quietView as view } from '../../support/tasks.js';

t.test(
  'a request that another worker took up since it was read is left to it, and the others are taken up',
  async (t) => {
    const bench = await openBench(t);
    bench.add('mail', () => undefined, { everyUnit: 'yearly', overlap: 'allow' });
    await bench.tasks.setup();
    for (const who of ['ann', 'bob', 'cleo']) await bench.requests.add(1, 'run', who);
    const read = await bench.requests.open(10);
    const other = await openBench(t, { store: bench.store, clock: bench.clock, workerId: 'w2' });
    const theirs = await other.claimer.claimRequests(read.slice(1, 2), view);
    t.match(theirs.claimed, [{ user: 'bob', job: { workerId: 'w2' } }]);
    const ours = await bench.claimer.claimRequests(read, view);
    t.match(ours.claimed, [{ user: 'ann' }, { user: 'cleo' }]);
    t.equal(ours.claimed.length, 2);
    t.same(
      (await bench.jobs.list()).map(({ requestId, workerId }) => [requestId, workerId]),
      [
        [3, 'w1'],
        [1, 'w1'],
        [2, 'w2'],
      ],
    );
  },
);

t.test('one that was withdrawn since it was read is not run', async (t) => {
  const bench = await openBench(t);
  bench.add('mail', () => undefined, { everyUnit: 'yearly', overlap: 'skip' });
  await bench.tasks.setup();
  for (const who of ['ann', 'bob']) await bench.requests.add(1, 'run', who);
  const read = await bench.requests.open(10);
  await bench.store.db
    .updateTable('job_requests')
    .set({ handled_at: 1, outcome: 'withdrawn by ann' })
    .where('id', '=', 1)
    .execute();
  const { claimed, skipped } = await bench.claimer.claimRequests(read, view);
  t.match(claimed, [{ user: 'bob' }], 'and does not count as running');
  t.equal(claimed.length, 1);
  t.same(skipped, []);
});

t.test('a request beside one that begins in the same look waits, without the number of a job', async (t) => {
  const bench = await openBench(t);
  bench.add('mail', () => undefined, { everyUnit: 'yearly', overlap: 'skip' });
  await bench.tasks.setup();
  for (const who of ['ann', 'bob']) await bench.requests.add(1, 'run', who);
  const read = await bench.requests.open(10);
  const { claimed, waiting } = await bench.claimer.claimRequests(read, view);
  t.match(claimed, [{ user: 'ann' }]);
  t.match(waiting, [{ for: 'run', why: 'another run of the rule begins now' }]);
});

t.test('of runs that are to end for the next one, only those that have begun are asked', async (t) => {
  const bench = await openBench(t);
  bench.add('mail', () => undefined, { everyUnit: 'yearly', overlap: 'cancel-previous' });
  await bench.tasks.setup();
  for (const who of ['ann', 'bob']) await bench.requests.add(1, 'run', who);
  const { claimed, cancel } = await bench.claimer.claimRequests(await bench.requests.open(10), view);
  t.equal(claimed.length, 1);
  t.same(cancel, []);
});

t.test('while a rule waits for a place, nothing is decided about those behind it', async (t) => {
  const bench = await openBench(t);
  for (const name of ['first', 'second', 'third'])
    bench.add(name, () => undefined, { every: 10, everyUnit: 'secondly' });
  await bench.tasks.setup();
  // A run of the third goes on.
  await bench.requests.add(3, 'run', 'ann');
  await bench.claimer.claimRequests(await bench.requests.open(10), view);
  bench.clock.advance(10_000);
  const due = await readDue(bench.store.db, { by: bench.clock.now(), limit: 10, offset: 0 });
  t.same(
    due.map(({ id }) => id),
    [1, 2, 3],
  );
  const claims = await bench.claimer.claimDue(due, { ...view, freeSlots: 1 });
  t.match(claims, { claimed: [{ rule: { id: 1 } }], waiting: [{ ruleId: 2, for: 'slot' }], skipped: [] });
  t.same([claims.claimed.length, claims.waiting.length], [1, 1]);
  t.equal((await bench.rules.get(3)).nextDueAt?.getTime(), due[2]?.dueAt, 'the third is due as before');
});

t.test('who was suspended in the middle of a claim begins only what is still its own', async (t) => {
  const bench = await openBench(t);
  const begun: string[] = [];
  for (const name of ['lost', 'kept'])
    bench.add(name, () => begun.push(name), { every: 10, everyUnit: 'secondly' });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  const { claimer } = bench;
  const claimDue = claimer.claimDue.bind(claimer);
  claimer.claimDue = async (...args) => {
    const claims = await claimDue(...args);
    bench.clock.advance(60_000);
    await bench.store.db
      .updateTable('jobs')
      .set({ status: 'lost' })
      .where('procedure', '=', 'lost')
      .execute();
    return claims;
  };
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(begun, ['kept']);
});
