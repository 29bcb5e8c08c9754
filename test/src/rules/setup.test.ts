// How the rules are adjusted to the procedures that are registered.

import t from 'tap';
import { noon, openBench } from '../../support/site.js';
import { every10, nothing } from '../../support/tasks.js';

t.test('setup makes a rule for each procedure, in order, first due after now', async (t) => {
  const bench = await openBench(t);
  bench.add('first', nothing, every10);
  bench.add('second', nothing, { startDatetime: 'T20:00:00' });
  t.match(await bench.tasks.setup(), { created: ['first', 'second'], removed: [] });
  t.same(await bench.tasks.status(), [
    'Job rule #1 <Procedures.first every 10 secondly> next run at: 2026-11-24T12:00:10+00:00',
    'Job rule #2 <Procedures.second every 1 daily> next run at: 2026-11-24T20:00:00+00:00',
  ]);
  t.match(await bench.tasks.setup(), { created: [], changed: [] }, 'a second setup changes nothing');
});

t.test('setup reactivates what failed, and leaves what a person cancelled', async (t) => {
  const bench = await openBench(t);
  bench.add('stumble', () => Promise.reject(new Error('no')), every10);
  bench.add('unwanted', nothing, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.tasks.cancel(await bench.rules.get(2));
  t.match(await bench.tasks.setup(), { reactivated: ['stumble'] });
  t.same(await bench.tasks.status(), [
    'Job rule #1 <Procedures.stumble every 10 secondly> next run at: 2026-11-24T12:00:20+00:00',
    'Job rule #2 <Procedures.unwanted every 10 secondly> cancelled at 2026-11-24T12:00:10+00:00, by w1; resume it with `linod rule 2 resume`',
  ]);
});

t.test(
  'the rule of a vanished procedure is kept and never runs; when the procedure returns, so does the rule',
  async (t) => {
    const bench = await openBench(t);
    bench.add('here', nothing, every10);
    await bench.tasks.setup();
    bench.clock.advance(10_000);
    await bench.tasks.run();
    await bench.tasks.settled();
    t.match(await bench.rules.sync([]), { removed: ['here'] });
    bench.clock.advance(60_000);
    await bench.tasks.run();
    t.same(await bench.tasks.status(), [], 'it is no task any more');
    t.equal((await bench.rules.list({ removed: true })).length, 1);
    t.equal((await bench.jobs.list({ ruleId: 1 })).length, 1, 'its history is kept');
    t.match(await bench.tasks.setup(), { restored: ['here'] });
    t.same(await bench.tasks.status(), [
      'Job rule #1 <Procedures.here every 10 secondly> next run at: 2026-11-24T12:01:20+00:00',
    ]);
  },
);

t.test('a new suggestion changes what nobody overrode, and never runs the rule at once', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { startDatetime: 'T20:00:00' });
  await bench.tasks.setup();
  await bench.rules.edit(1, { every: 3 });
  bench.add('report', nothing, { every: 2, everyUnit: 'hourly', startDatetime: '2026-11-24T00:00:00' });
  t.match(await bench.tasks.setup(), { changed: ['report'] });
  const rule = await bench.rules.get(1);
  t.equal(String(rule), 'Job rule #1 <Procedures.report every 3 hourly>');
  t.same(rule.nextDueAt, new Date(noon + 3 * 3_600_000));
  await bench.rules.edit(1, { every: null });
  t.equal(
    String(await bench.rules.get(1)),
    'Job rule #1 <Procedures.report every 2 hourly>',
    'null takes it back',
  );
});

t.test('a suggestion that does not fit an override cancels that rule and no other', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { everyUnit: 'monthly', weekdays: ['friday'] });
  bench.add('other', nothing, every10);
  await bench.tasks.setup();
  await bench.rules.edit(1, { positions: [1] });
  bench.add('report', nothing, { everyUnit: 'daily' });
  await bench.tasks.setup();
  t.match(await bench.rules.get(1), { cancelledReason: /^failed: .*positions/ });
  t.match(await bench.rules.get(2), { cancelledReason: null });
});

t.test('one procedure can have several rules', async (t) => {
  const bench = await openBench(t);
  const report = bench.add('report', nothing, every10);
  await bench.tasks.setup();
  const second = await bench.tasks.createRule(report, 'report of the night');
  t.match(second, { id: 2, seqno: 2, name: 'report of the night' });
  t.match(await bench.tasks.setup(), { created: [] });
});

t.test(
  'a new version of a procedure changes level, policy and timeout of rules that do not override them',
  async (t) => {
    const bench = await openBench(t);
    bench.add('report', nothing, every10);
    await bench.tasks.setup();
    await bench.rules.edit(1, { onFailure: 'continue' });
    bench.add('report', nothing, { ...every10, logLevel: 'DEBUG', onFailure: 'cancel', timeoutSeconds: 5 });
    t.match(await bench.tasks.setup(), { changed: ['report'] });
    t.match(await bench.rules.get(1), {
      logLevel: 'DEBUG',
      policies: { onFailure: 'continue', timeoutSeconds: 5 },
    });
    await bench.rules.edit(1, { onFailure: null });
    t.equal((await bench.rules.get(1)).policies.onFailure, 'cancel');
  },
);

t.test(
  'what an older version wrote of a suggestion is no change, so that a late rule stays due',
  async (t) => {
    const bench = await openBench(t);
    bench.add('report', nothing, every10);
    await bench.tasks.setup();
    const { suggestion } = await bench.store.db
      .selectFrom('job_rules')
      .select('suggestion')
      .executeTakeFirstOrThrow();
    const { cron, missingTime, repeatedTime, ...older } = JSON.parse(suggestion) as Record<string, unknown>;
    t.same([cron, missingTime, repeatedTime], [null, null, null]);
    await bench.store.db
      .updateTable('job_rules')
      .set({ suggestion: JSON.stringify(older) })
      .execute();
    bench.clock.advance(60_000);
    t.match(await bench.tasks.setup(), { changed: [] });
    t.same((await bench.rules.get(1)).nextDueAt, new Date(noon + 10_000));
  },
);

t.test('a rule is kept as long as one of the workers has its procedure, and that one runs it', async (t) => {
  const old = await openBench(t, { workerId: 'old' });
  const now = await openBench(t, { store: old.store, clock: old.clock, workerId: 'new' });
  const hired = { old: ['kept', 'dropped'], new: ['kept', 'added'] };
  for (const [bench, id] of [
    [old, 'old'],
    [now, 'new'],
  ] as const) {
    await bench.join(id);
    const procedures = JSON.stringify(hired[id]);
    await bench.store.db.updateTable('workers').set({ procedures }).where('id', '=', id).execute();
    for (const name of hired[id]) bench.add(name, nothing, every10);
    await bench.tasks.setup();
  }
  t.match(await old.tasks.setup(), { created: [], removed: [], changed: [] }, 'the old one starts again');
  t.match(await old.tasks.status(), [/#1 .* next run/, /#2 .* next run/, /#3 <Procedures.added .* next run/]);
  old.clock.advance(10_000);
  for (const bench of [old, now]) {
    await bench.tasks.run();
    await bench.tasks.settled();
  }
  const ran = (await old.jobs.list()).map(({ workerId, procedure }) => `${workerId} ${procedure}`);
  t.same(ran.sort(), ['new added', 'old dropped', 'old kept']);

  await old.store.db.updateTable('workers').set({ stopped_at: 1 }).where('id', '=', 'old').execute();
  t.match(await now.tasks.status(), [
    /:20\+00:00$/,
    /; no running worker has procedure dropped$/,
    /:20\+00:00$/,
  ]);
  t.match(await now.tasks.setup(), { removed: ['dropped'] });
});

t.test('many rules are made and listed in their order', async (t) => {
  const bench = await openBench(t);
  const names = Array.from({ length: 500 }, (_, i) => `task_${i}`);
  for (const name of names) bench.add(name, () => undefined, { every: 1, everyUnit: 'daily' });
  t.same((await bench.tasks.setup()).created, names);
  const listed: string[] = [];
  for await (const { name } of bench.rules.each()) listed.push(name);
  t.same(listed, names);
});

t.test('a rule follows one that is made after it in the same set-up', async (t) => {
  const bench = await openBench(t);
  bench.add('second', () => undefined, { runAfter: 'first' });
  bench.add('first', () => undefined, { everyUnit: 'yearly' });
  await bench.tasks.setup();
  await bench.requests.add('first', 'run', 'ann');
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(
    (await bench.jobs.list()).map(({ procedure }) => procedure),
    ['second', 'first'],
  );
});
