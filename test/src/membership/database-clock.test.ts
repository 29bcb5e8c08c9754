// Whose clock decides, where that of this machine is wrong.

import t, { type Test } from 'tap';
import { createTasks } from '../../../src/actors/site-tasks.js';
import { openTasks, RunJob } from '../../../src/index.js';
import { Logger } from '../../../src/log/logger.js';
import { DatabaseClock } from '../../../src/membership/database-clock.js';
import { type Bench, noon, openBench } from '../../support/site.js';

const minute = 60_000;
const quiet = new Logger({ sink: { write: () => undefined }, name: 'linod' });

/** The tasks of a bench as a worker has them, by the database's clock; and what they warn of. */
function tasksBy(t: Test, { site, store, procedures }: Bench, clock: DatabaseClock) {
  const warnings: string[] = [];
  const { tasks, close } = createTasks({
    site,
    store,
    procedures,
    clock,
    adjustClock: () => clock.measure(),
    sink: { write: (level, _logger, message) => void (level === 'WARNING' && warnings.push(message)) },
  });
  t.teardown(close);
  return { tasks, warnings };
}

for (const [how, skewMs] of [
  ['ahead', minute],
  ['behind', -minute],
] as const) {
  t.test(`on a machine whose clock is ${how} a rule runs when the database's says so`, async (t) => {
    const bench = await openBench(t);
    const { clock, add } = bench;
    const database = new DatabaseClock(async () => clock.now() - skewMs, clock, quiet);
    const seen: number[] = [];
    add('report', (ar) => void seen.push(ar.now().getTime()), { every: 1, everyUnit: 'hourly' });
    const { tasks, warnings } = tasksBy(t, bench, database);
    await database.measure();
    await tasks.setup();
    const due = noon - skewMs + 60 * minute;
    clock.advance(60 * minute - 1000);
    await tasks.run();
    await tasks.settled();
    t.same(seen, [], 'not a second before');
    clock.advance(1000);
    await tasks.run();
    await tasks.settled();
    t.same(seen, [due]);
    t.same(warnings, [], 'nobody has set a clock');
  });
}

for (const [how, byMs] of [
  ['forward', 6 * 60 * minute],
  ['back', -6 * 60 * minute],
] as const) {
  t.test(
    `when the clock of a machine is set ${how}, a rule still runs when the database's says so`,
    async (t) => {
      const bench = await openBench(t);
      const { clock, add } = bench;
      const passedBefore = clock.passed();
      const database = new DatabaseClock(async () => noon + clock.passed() - passedBefore, clock, quiet);
      let runs = 0;
      add('report', () => void runs++, { every: 1, everyUnit: 'hourly' });
      const { tasks, warnings } = tasksBy(t, bench, database);
      await tasks.setup();
      clock.advance(minute);
      await tasks.run();
      clock.setTo(clock.now() + byMs);
      for (const expected of [0, 1, 2]) {
        await tasks.run();
        await tasks.settled();
        t.equal(runs, expected);
        clock.advance(60 * minute);
      }
      t.same(warnings, [], 'of linod.tasks: the time by which rules are due was not set');
    },
  );
}

t.test(
  'a rule that a command changes is due by the clock of the database, however wrong its own',
  async (t) => {
    const bench = await openBench(t);
    const { site, add } = bench;
    add('report', () => undefined, { every: 1, everyUnit: 'secondly', misfire: 'run-all' });
    await bench.tasks.setup();
    for (const aheadMs of [60 * minute, -60 * minute]) {
      const time = async () => Date.now() + aheadMs;
      const store = { ...bench.store, time };
      const near = (instant: number) => Math.abs(instant - Date.now() - aheadMs) < 30 * minute;
      const { rules } = await openTasks({ site, store, user: 'ann' });
      const { nextDueAt } = await rules.edit(1, { priority: 1 });
      t.ok(near(nextDueAt?.getTime() ?? 0), `not an hour ago, and not in an hour: ${nextDueAt}`);
      const { request } = await RunJob.request({ site, store }, 1);
      const asked = await store.db
        .selectFrom('job_requests')
        .selectAll()
        .where('id', '=', request)
        .executeTakeFirst();
      t.ok(near(asked?.requested_at ?? 0), 'a request, too');
    }
  },
);
