// Somebody deletes a rule in the database while it runs, or while something is asked of it. SQLite's own program lets them.

import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { gate } from '../../support/gate.js';
import { type Bench, openBench } from '../../support/site.js';
import { quietView } from '../../support/tasks.js';

const everySecond = { every: 1, everyUnit: 'secondly' } as const;

async function deleteRule(bench: Bench, id: number): Promise<void> {
  await sql`pragma foreign_keys = off`.execute(bench.store.db);
  await bench.store.db.deleteFrom('job_rules').where('id', '=', id).execute();
}

async function open(t: Test): Promise<Bench & { end(): void }> {
  const bench = await openBench(t);
  const first = gate();
  bench.add('deleted', async () => {
    await first.promise;
    throw new Error('no luck');
  });
  bench.add('other', () => undefined, everySecond);
  await bench.tasks.setup();
  return { ...bench, end: first.open };
}

t.test('a request to end the run of a rule that was deleted does not stop the others', async (t) => {
  const bench = await open(t);
  await bench.requests.add(1, 'cancel', 'ann');
  await deleteRule(bench, 1);
  bench.clock.advance(1000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await bench.jobs.list(), [{ procedure: 'other', status: 'done' }]);
  t.same(await bench.requests.cancellations(), [], 'and is done with');
});

t.test('a run that fails when its rule was deleted is failed', async (t) => {
  const bench = await open(t);
  await bench.requests.add(1, 'run', 'ann');
  await bench.tasks.run();
  await deleteRule(bench, 1);
  bench.end();
  await bench.tasks.settled();
  t.match(await bench.jobs.list(), [{ procedure: 'deleted', status: 'failed', message: /no luck/ }]);
});

t.test('a claimed run of a rule that was deleted is failed, and the others are begun', async (t) => {
  const bench = await open(t);
  for (const rule of [1, 2]) await bench.requests.add(rule, 'run', 'ann');
  const waiting = await bench.requests.open(10);
  await bench.claimer.claimRequests(waiting, quietView);
  await deleteRule(bench, 1);
  t.match(await bench.claimer.notBegun([]), [{ job: { procedure: 'other' }, user: 'ann' }]);
  t.match(await bench.jobs.list(), [{ status: 'running' }, { status: 'failed', message: /no job rule 1/ }]);
});
