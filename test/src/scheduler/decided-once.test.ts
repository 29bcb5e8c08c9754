// What was decided about a due time stays, whatever changes the rule at that moment and whose clock is a little behind.

import t, { type Test } from 'tap';
import type { ScheduleOptions } from '../../../src/rules/procedure.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { type Bench, noon, openBench } from '../../support/site.js';
import { every10, oldestFirst, reasons } from '../../support/tasks.js';

const dueAt = noon + 10_000;

/** A worker that has begun a run, and a command whose clock shows 100 ms before that. */
async function benches(t: Test, options: ScheduleOptions): Promise<{ worker: Bench; command: Bench }> {
  const worker = await openBench(t);
  const clock = new ManualClock(dueAt - 100);
  const command = await openBench(t, { store: worker.store, clock, workerId: 'ann' });
  const untilAborted = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  for (const bench of [worker, command]) bench.add('report', (ar) => untilAborted(ar.signal), options);
  await worker.tasks.setup();
  worker.clock.setTo(dueAt);
  await worker.tasks.run();
  t.teardown(async () => {
    worker.tasks.abortAll('the test is over', 0);
    worker.clock.advance(0);
    await worker.tasks.settled();
  });
  return { worker, command };
}

const changes: ReadonlyArray<readonly [string, (bench: Bench) => Promise<unknown>]> = [
  ['an edit', ({ rules }) => rules.edit(1, { priority: 1 })],
  ['rules sync', ({ tasks }) => tasks.setup()],
  [
    'a cancellation that is taken back',
    async ({ rules }) => {
      await rules.cancel(1);
      await rules.resume(1);
    },
  ],
  [
    'a change in the database',
    async ({ store, outside }) => {
      await store.db.updateTable('job_rules').set({ priority: 1 }).where('id', '=', 1).execute();
      const changedAt = { changed_at: dueAt - 100 };
      await store.db.updateTable('rule_changes').set(changedAt).where('how', 'is', null).execute();
      await outside.adoptAll();
    },
  ],
];

for (const [what, change] of changes) {
  t.test(`${what} does not make a due time due again that has been decided upon`, async (t) => {
    const { worker, command } = await benches(t, { ...every10, overlap: 'cancel-previous' });
    for (const bench of [command, worker]) await change(bench);
    t.same((await worker.rules.get(1)).nextDueAt, new Date(dueAt + 10_000));
    await worker.tasks.run();
    t.match(await oldestFirst(worker), [{ status: 'running', dueAt: new Date(dueAt) }]);
    const told = await reasons(worker);
    t.notMatch(told.join(), /skipped|moved|taken|late/, 'and nothing else is said of it');
  });
}

t.test('a rule that runs after another one keeps its turn when the rules are gone through', async (t) => {
  const bench = await openBench(t);
  const clock = new ManualClock(noon - 100);
  const command = await openBench(t, { store: bench.store, clock, workerId: 'ann' });
  for (const { add } of [bench, command]) {
    add('first', () => undefined, every10);
    add('second', () => undefined, { runAfter: 'first' });
  }
  await bench.tasks.setup();
  await bench.requests.add('first', 'run', 'bob');
  await bench.tasks.run();
  await bench.tasks.settled();
  await command.tasks.setup();
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await oldestFirst(bench), [{ procedure: 'first' }, { procedure: 'second', status: 'done' }]);
});
