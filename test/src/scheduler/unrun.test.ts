import t from 'tap';
import { Procedure } from '../../../src/rules/procedure.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { type Bench, noon, openBench } from '../../support/site.js';

const every10 = { every: 10, everyUnit: 'secondly' } as const;
const nothing = () => undefined;

async function ledger(bench: Bench): Promise<string[]> {
  const rows = await bench.store.db.selectFrom('decisions').selectAll().orderBy('id').execute();
  return rows.map(({ reason, times, due_at, due_until, detail }) => {
    const at = (ms: number | null) => (ms === null ? '-' : String((ms - noon) / 1000));
    return `${reason} ${at(due_at)}..${at(due_until)} x${times} ${detail}`.trimEnd();
  });
}

async function late(t: Parameters<typeof openBench>[0]): Promise<Bench> {
  const bench = await openBench(t);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  // Nobody looks at the rules, and three due times pass.
  bench.clock.advance(35_000);
  return bench;
}

t.test('what was due and had not begun when the rule is edited is told as dropped', async (t) => {
  const bench = await late(t);
  await bench.rules.edit(1, { every: 7 });
  t.same(await ledger(bench), [
    'dropped 10..30 x3 edited before it started',
    'edited -..- x1 every = 7, by w1',
  ]);
  await bench.rules.edit(1, { every: 8 });
  t.equal((await ledger(bench)).length, 3, 'nothing was due, and nothing is dropped');
});

t.test('so is what was due when it is cancelled or its procedure is gone', async (t) => {
  const cancelled = await late(t);
  await cancelled.rules.cancel(1);
  t.same(await ledger(cancelled), [
    'dropped 10..30 x3 cancelled before it started',
    'cancelled -..- x1 by w1',
  ]);
  const removed = await late(t);
  await removed.rules.sync([]);
  t.match(await ledger(removed), ['dropped 10..30 x3 removed before it started', /^removed /]);
});

t.test('so is what was due when a new version of the procedure suggests other times', async (t) => {
  const bench = await late(t);
  bench.add('tick', nothing, { everyUnit: 'hourly' });
  await bench.tasks.setup();
  t.same(await ledger(bench), [
    'dropped 10..30 x3 changed by a new version of the procedure before it started',
  ]);
});

const resumptions: ReadonlyArray<readonly [string, (bench: Bench) => Promise<unknown>]> = [
  ['resumed', ({ rules }) => rules.resume(1)],
  ['resumed by an undo', ({ history }) => history.undo(1)],
  [
    'resumed by a file',
    ({ plans }) =>
      plans.apply({ version: 1, rules: [{ name: 'tick', overrides: {}, cancelled: false }] }, 'rules.json'),
  ],
  [
    'resumed in the database',
    async ({ store, outside, clock }) => {
      await store.db.updateTable('job_rules').set({ cancelled_at: null }).execute();
      // The database signs with its own clock.
      const changedAt = { changed_at: clock.now() };
      await store.db.updateTable('rule_changes').set(changedAt).where('how', 'is', null).execute();
      await outside.adoptAll();
    },
  ],
];

for (const [what, resume] of resumptions) {
  t.test(`what was due while a rule was cancelled is told as skipped when it is ${what}`, async (t) => {
    const bench = await openBench(t);
    bench.add('tick', nothing, every10);
    await bench.tasks.setup();
    bench.clock.advance(5000);
    await bench.rules.cancel(1);
    bench.clock.advance(60_000);
    await resume(bench);
    const told = (await ledger(bench)).slice(1);
    t.ok(told.includes('skipped 10..60 x6 the rule was cancelled then'), told.join('\n'));
    t.match(told.join(), /resumed/);
  });
}

t.test(
  'a due time that comes while a rule is resumed is not told as skipped, since it will be run',
  async (t) => {
    const clock = new ManualClock(noon);
    const { now } = clock;
    let tickMs = 0;
    clock.now = () => {
      clock.advance(tickMs);
      return now();
    };
    const bench = await openBench(t, { clock });
    bench.add('tick', nothing, every10);
    await bench.tasks.setup();
    const stops = [
      { stop: () => bench.rules.cancel(1), start: () => bench.rules.resume(1) },
      { stop: () => bench.rules.sync([]), start: () => bench.rules.sync(bench.procedures) },
    ];
    for (const { stop, start } of stops) {
      await stop();
      clock.advance(60_000);
      tickMs = 3000;
      await start();
      tickMs = 0;
      const next = Number((await bench.rules.get(1)).nextDueAt);
      const told = await bench.store.db
        .selectFrom('decisions')
        .select('due_until')
        .where('reason', '=', 'skipped')
        .execute();
      t.ok(told.length > 0);
      t.same(
        told.filter(({ due_until }) => (due_until ?? 0) >= next),
        [],
      );
    }
  },
);

t.test('what is told so are the due times of the rule as it was', async (t) => {
  const bench = await openBench(t);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  await bench.rules.sync([]);
  bench.clock.advance(65_000);
  await bench.rules.sync([new Procedure('tick', nothing, { everyUnit: 'hourly' }, 'test')]);
  t.match((await ledger(bench)).slice(1), ['skipped 10..60 x6 no procedure tick was registered then']);
});

t.test('a rule that could not be read is resumed by the change that mends it', async (t) => {
  const { store, outside, rules, tasks, add, clock } = await openBench(t);
  add('tick', nothing, every10);
  await tasks.setup();
  const write = async (columns: object) => {
    await store.db.updateTable('job_rules').set(columns).execute();
    await outside.adoptAll();
  };
  await write({ timezone: 'Mars' });
  clock.advance(65_000);
  await write({ timezone: null, cancelled_at: null });
  t.ok((await rules.get(1)).active);
});

t.test('and what was due while its procedure was gone, when that is back', async (t) => {
  const bench = await openBench(t);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  await bench.rules.sync([]);
  bench.clock.advance(25_000);
  await bench.tasks.setup();
  t.same((await ledger(bench)).slice(1), [
    'skipped 10..20 x2 no procedure tick was registered then',
    'reactivated -..- x1 restored',
  ]);
});

t.test('the end of the recurrence is told once, after the last due time', async (t) => {
  const bench = await openBench(t);
  bench.add('twice', nothing, { ...every10, count: 3, startDatetime: '2026-11-24T12:00:00' });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(await ledger(bench), ['started 10..- x1']);
  bench.clock.advance(60_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match((await ledger(bench)).slice(1), [/^late 20\.\.- x1/, 'ended -..- x1']);
});
