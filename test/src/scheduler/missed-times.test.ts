// Due times that passed, were skipped or moved, and their ledger entries.

import t from 'tap';
import { noon, openBench } from '../../support/site.js';
import { every10, everySecond, nothing, oldestFirst, reasons } from '../../support/tasks.js';

t.test(
  'due times that passed while no worker ran are made up for by one run, and the ledger counts the rest',
  async (t) => {
    const bench = await openBench(t);
    bench.add('tick', nothing, every10);
    await bench.tasks.setup();
    bench.clock.advance(3_600_000);
    const later = await openBench(t, { store: bench.store, clock: bench.clock });
    later.add('tick', nothing, every10);
    t.same(await later.tasks.run(), new Date(noon + 3_610_000));
    await later.tasks.settled();
    t.match(await oldestFirst(later), [{ dueAt: new Date(noon + 10_000), status: 'done' }]);
    t.same(await reasons(later), [
      'late by 59 min 50 s: no worker ran the rules then',
      'dropped 359 further due times passed meanwhile',
    ]);
  },
);

t.test('a rule of every second that was off for a year is made up for at once', async (t) => {
  const bench = await openBench(t);
  bench.add('tick', nothing, everySecond);
  await bench.tasks.setup();
  bench.clock.advance(365 * 86_400_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.equal((await oldestFirst(bench)).length, 1);
  t.match(await reasons(bench), [
    /^late by 364 d 23 h/,
    'dropped 1000 or more further due times passed meanwhile',
  ]);
});

t.test('a clock that is set back runs no due time again', async (t) => {
  const bench = await openBench(t);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.store.db
    .updateTable('job_rules')
    .set({ next_due_at: noon + 10_000 })
    .execute();
  await bench.tasks.run();
  await bench.tasks.settled();
  t.equal((await oldestFirst(bench)).length, 1);
  t.match((await reasons(bench)).at(-1), 'taken run before, as job 1 of worker w1');
});

t.test('a rule whose recurrence has ended never runs again and says so', async (t) => {
  const bench = await openBench(t);
  bench.add('once', nothing, { ...every10, count: 1, startDatetime: '2026-11-24T12:00:05' });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(await bench.tasks.status(), [
    'Job rule #1 <Procedures.once every 10 secondly> never runs again: its recurrence has ended',
  ]);
});

t.test('when the clock is set back, rules are due at the new time, and the ledger says so', async (t) => {
  const bench = await openBench(t);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  bench.clock.advance(86_400_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  bench.clock.setTo(noon);
  t.same(await bench.tasks.run(), new Date(noon + 10_000));
  t.match((await reasons(bench)).slice(2), [
    'moved from 2026-11-25T12:00:10+00:00 to 2026-11-24T12:00:10+00:00: the clock was set back by 1 d',
  ]);
});

t.test('an excluded day is skipped, and the ledger says so when the rule moves on over it', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { startDatetime: 'T20:00:00', excluded: ['wed', '2026-11-26'] });
  await bench.tasks.setup();
  bench.clock.advance(8 * 3_600_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(await reasons(bench), ['started', 'skipped excluded by wed', 'skipped excluded by 2026-11-26']);
  t.same((await bench.rules.get(1)).nextDueAt, new Date('2026-11-27T20:00:00Z'));
});

t.test('jitter moves a rule to where the ledger says it is', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { startDatetime: 'T20:00:00', jitterSeconds: 600 });
  await bench.tasks.setup();
  const due = (await bench.rules.get(1)).nextDueAt?.getTime() ?? 0;
  const shift = due - Date.UTC(2026, 10, 24, 20);
  t.ok(shift > 0 && shift < 600_000, `${shift} ms`);
  bench.clock.setTo(due);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await reasons(bench), [/^started moved by \d+ (s|min).* of jitter$/]);
  t.same((await bench.rules.get(1)).nextDueAt, new Date(due + 86_400_000));
});

t.test('a rule that runs after another has no due times, whatever is excluded', async (t) => {
  const bench = await openBench(t);
  bench.add('first', nothing, every10);
  bench.add('second', nothing, { runAfter: 'first', excluded: ['tue'], jitterSeconds: 5 });
  await bench.tasks.setup();
  t.equal((await bench.rules.get(2)).dueAfter(new Date(noon)), null);
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(await reasons(bench, 2), ['started']);
});

const ended = (at: number) => ({ heartbeat_at: at, stopped_at: at, stop_reason: 'it was stopped' });
const others = [
  { is: 'that lives', columns: { heartbeat_at: noon + 8000 }, why: 'the worker was busy or asleep' },
  { is: 'that ran then', columns: ended(noon + 15_000), why: 'the worker was busy or asleep' },
  { is: 'that was silent', columns: { heartbeat_at: noon + 2000 }, why: 'no worker ran the rules then' },
  { is: 'that had ended', columns: ended(noon + 5000), why: 'no worker ran the rules then' },
  {
    is: 'without the procedure',
    columns: { procedures: '["another"]' },
    why: 'no worker ran the rules then',
  },
];

for (const { is, columns, why } of others) {
  t.test(`a worker that starts after one ${is} tells of what is late: ${why}`, async (t) => {
    const bench = await openBench(t, { workerId: 'w2' });
    bench.add('report', nothing, every10);
    await bench.join('w1');
    await bench.store.db.updateTable('workers').set(columns).execute();
    await bench.tasks.setup();
    bench.clock.advance(25_000);
    bench.tasks.startPolling();
    await bench.tasks.run();
    await bench.tasks.settled();
    t.match(await reasons(bench), [`late by 15 s: ${why}`, /^dropped 1 further/]);
  });
}
