// Whose clock decides, where that of this machine is wrong.

import t from 'tap';
import { Logger } from '../../../src/log/logger.js';
import { DatabaseClock } from '../../../src/membership/database-clock.js';
import { createTasks } from '../../../src/tasks/create-tasks.js';
import { noon, openBench } from '../../support/site.js';

const minute = 60_000;

for (const [how, skewMs] of [
  ['ahead', minute],
  ['behind', -minute],
] as const) {
  t.test(`on a machine whose clock is ${how} a rule runs when the database's says so`, async (t) => {
    const { clock, site, store, procedures, add } = await openBench(t);
    const logger = new Logger({ sink: { write: () => undefined }, name: 'linod' });
    const database = new DatabaseClock(async () => clock.now() - skewMs, clock, logger);
    const seen: number[] = [];
    add('report', (ar) => void seen.push(ar.now().getTime()), { every: 1, everyUnit: 'hourly' });
    const warnings: string[] = [];
    const { tasks, close } = createTasks({
      site,
      store,
      procedures,
      clock: database,
      sink: { write: (level, _logger, message) => void (level === 'WARNING' && warnings.push(message)) },
    });
    t.teardown(close);
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
      const { clock, site, store, procedures, add } = await openBench(t);
      const logger = new Logger({ sink: { write: () => undefined }, name: 'linod' });
      const passedBefore = clock.passed();
      const database = new DatabaseClock(async () => noon + clock.passed() - passedBefore, clock, logger);
      let runs = 0;
      add('report', () => void runs++, { every: 1, everyUnit: 'hourly' });
      const warnings: string[] = [];
      const { tasks, close } = createTasks({
        site,
        store,
        procedures,
        clock: database,
        adjustClock: () => database.measure(),
        sink: { write: (level, _logger, message) => void (level === 'WARNING' && warnings.push(message)) },
      });
      t.teardown(close);
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
