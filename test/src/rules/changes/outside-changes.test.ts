import t from 'tap';
import { type Bench, noon, openBench } from '../../../support/site.js';

const nothing = () => undefined;
const every10 = { every: 10, everyUnit: 'secondly' } as const;

/** Changes a rule as a person with a database program does, at an instant of the bench's clock. */
async function byHand(bench: Bench, columns: Record<string, unknown>, id = 1): Promise<void> {
  await bench.store.db.updateTable('job_rules').set(columns).where('id', '=', id).execute();
  await dateBack(bench);
}

/** The triggers know only the machine's clock. */
async function dateBack(bench: Bench): Promise<void> {
  await bench.store.db
    .updateTable('rule_changes')
    .set({ changed_at: bench.clock.now() })
    .where('how', 'is', null)
    .execute();
}

async function ledger(bench: Bench, id = 1): Promise<string[]> {
  const rows = await bench.store.db
    .selectFrom('decisions')
    .selectAll()
    .where('rule_id', '=', id)
    .orderBy('id')
    .execute();
  // PostgreSQL knows who is connected.
  return rows.map(({ reason, detail }) => `${reason}: ${detail}`.replace('by linod', 'by somebody'));
}

t.test('a rule that is changed in the database is due as if it had been edited', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, every10);
  await bench.tasks.setup();
  t.equal(await bench.outside.adoptAll(), false, 'what linod changes itself is not from outside');
  bench.clock.advance(9000);
  await byHand(bench, { every: 4, job_group: 'mail', priority: 3 });
  bench.clock.advance(500);
  t.equal(await bench.outside.adoptAll(), true);
  t.equal(await bench.outside.adoptAll(), false);
  t.match(await bench.rules.get(1), { every: 4, nextDueAt: new Date(noon + 12_000) });
  t.match(await bench.store.db.selectFrom('job_rules').selectAll().executeTakeFirst(), {
    due_group: 'mail',
    due_priority: 3,
  });
  t.same(await ledger(bench), [
    'edited: every: suggested → 4, priority: suggested → 3, group: suggested → mail, in the database by somebody',
  ]);
  t.match(bench.records, [
    'INFO tasks: job rule 1 was changed in the database: every: suggested → 4, priority: suggested → 3, group: suggested → mail',
  ]);
  t.match(await bench.history.list(1), [{ how: 'sync' }, { revision: 1, how: 'database' }]);
});

t.test(
  'a change in the database fires nothing, and makes nobody forget what came due after it',
  async (t) => {
    const bench = await openBench(t);
    bench.add('report', nothing, { startDatetime: 'T20:00:00' });
    await bench.tasks.setup();
    await byHand(bench, { start_datetime: 'T11:00:00' });
    await bench.outside.adoptAll();
    t.same((await bench.rules.get(1)).nextDueAt, new Date(noon + 23 * 3_600_000), 'eleven has passed today');
    await byHand(bench, { start_datetime: 'T13:00:00' });
    bench.clock.advance(2 * 3_600_000);
    await bench.outside.adoptAll();
    t.same((await bench.rules.get(1)).nextDueAt, new Date(noon + 3_600_000), 'nobody looked meanwhile');
  },
);

t.test('a bad value in the database cancels its rule and no other, and says what may be there', async (t) => {
  const bench = await openBench(t);
  // What each column of SQLite takes, and PostgreSQL as well.
  const bad: ReadonlyArray<[Record<string, unknown>, RegExp]> = [
    [{ every_unit: 'dayly' }, /expected everyUnit to be one of .*"dayly"/],
    [{ weekdays: 'monday' }, /expected weekdays to be a list such as \["monday"\], got: "monday"/],
    [{ weekdays: '["moonday"]' }, /moonday/],
    [{ timezone: 'Mars/X' }, /expected timezone to be .*"Mars\/X"/],
    [
      { overlap: 'alow' },
      /expected overlap to be one of .*got: "alow"; did you mean "allow"|expected overlap/,
    ],
    [{ log_level: 'loud' }, /expected logLevel to be one of .*got: "loud"/],
    [{ timeout_seconds: -1 }, /expected timeoutSeconds to be .*got: -1/],
    [{ suggestion: 'none' }, /expected suggestion to be an object as JSON, got: "none"/],
    [{ run_after: 'nobody' }, /expected runAfter to be the name or the number of a rule, got: "nobody"/],
  ];
  for (const [i] of bad.entries()) bench.add(`rule${i}`, nothing, every10);
  bench.add('good', nothing, every10);
  await bench.tasks.setup();
  for (const [i, [columns]] of bad.entries()) await byHand(bench, columns, i + 1);
  await bench.outside.adoptAll();
  const rules = await bench.rules.list();
  for (const [i, [columns, problem]] of bad.entries()) {
    const what = JSON.stringify(columns);
    t.match(
      rules[i],
      { cancelled: true, cancelledBy: 'failure', cancelledReason: problem, nextDueAt: null },
      what,
    );
    t.match(bench.records[i], problem, what);
    t.match(
      (await ledger(bench, i + 1)).map((line) => line.split(':')[0]),
      ['edited', 'cancelled'],
      what,
    );
  }
  t.match(rules.at(-1), { cancelled: false, nextDueAt: new Date(noon + 10_000) });
  t.equal((await bench.tasks.status()).length, bad.length + 1, 'all of them can be shown');
  await byHand(bench, { every_unit: 'hourly' });
  await bench.outside.adoptAll();
  t.match(await bench.rules.resume(1), { cancelled: false, everyUnit: 'hourly' }, 'a good value helps');
});

t.test('a rule can be cancelled and resumed in the database', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, every10);
  await bench.tasks.setup();
  await byHand(bench, { cancelled_at: noon });
  t.equal((await bench.rules.get(1)).nextDueAt, null, 'at once, before anybody has looked');
  await bench.outside.adoptAll();
  t.match(await bench.rules.get(1), { cancelledBy: 'person', cancelledReason: 'in the database' });
  bench.clock.advance(60_000);
  await bench.tasks.setup();
  t.match(await bench.rules.get(1), { cancelled: true }, 'a set-up leaves what a person has cancelled');
  await byHand(bench, { cancelled_at: null });
  await bench.outside.adoptAll();
  t.match(await bench.rules.get(1), {
    cancelled: false,
    cancelledBy: null,
    cancelledReason: null,
    nextDueAt: new Date(noon + 70_000),
  });
  t.match(await bench.history.undo(1), { cancelled: true }, 'the whole of it was one change');
  t.match(await bench.history.list(1), [
    { how: 'sync' },
    { how: 'database', revision: 1 },
    { how: 'database' },
    { how: 'undo' },
  ]);
  t.match(await ledger(bench), [
    'cancelled: in the database by somebody',
    'resumed: in the database by somebody',
  ]);
});

t.test('a rule that is made in the database comes due', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, every10);
  await bench.tasks.setup();
  const first = await bench.store.db.selectFrom('job_rules').selectAll().executeTakeFirstOrThrow();
  const { procedure, suggestion } = first;
  await bench.store.db
    .insertInto('job_rules')
    .values({ seqno: 2, name: 'another', procedure, suggestion, created_at: noon, every: 3 })
    .execute();
  await dateBack(bench);
  await bench.outside.adoptAll();
  t.match(await bench.rules.get(2), { name: 'another', nextDueAt: new Date(noon + 3000) });
});

t.test('a rule that is deleted in the database troubles nobody', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, every10);
  await bench.tasks.setup();
  await byHand(bench, { every: 4 });
  await bench.store.db.deleteFrom('job_rules').execute();
  t.equal(await bench.outside.adoptAll(), true);
  t.equal(await bench.outside.adoptAll(), false);
});

t.test('an edit by command before anybody has looked keeps the change in the database apart', async (t) => {
  const bench = await openBench(t, { workerId: 'ann' });
  bench.add('report', nothing, every10);
  await bench.tasks.setup();
  await byHand(bench, { every: 4 });
  await bench.rules.edit(1, { name: 'nightly' });
  t.match(await bench.history.list(1), [
    { how: 'sync' },
    { how: 'database', changes: [{ field: 'every', before: null, after: 4 }] },
    { how: 'command', by: 'ann', changes: [{ field: 'name' }] },
  ]);
  await bench.outside.adoptAll();
  t.match(await bench.history.undo(1, 1), { name: 'report', every: 10 });
});

t.test(
  'a change in the database and what a person changes before it is noticed stay two changes',
  async (t) => {
    const bench = await openBench(t);
    bench.add('report', nothing, every10);
    await bench.tasks.setup();
    await byHand(bench, { cancelled_at: noon });
    await bench.rules.resume(1);
    await byHand(bench, { every: 4 });
    await bench.rules.edit(1, { priority: 3 });
    await bench.outside.adoptAll();
    const changes = (await bench.history.list(1)).map(({ how, changes }) => [
      how,
      ...changes.map(({ field }) => field),
    ]);
    t.same(changes, [
      ['sync', 'created'],
      ['database', 'cancelled'],
      ['command', 'cancelled'],
      ['database', 'every'],
      ['command', 'priority'],
    ]);
  },
);
