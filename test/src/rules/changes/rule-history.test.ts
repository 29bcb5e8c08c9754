import t from 'tap';
import { changesText } from '../../../../src/rules/changes/field-changes.js';
import { type Bench, noon, openBench } from '../../../support/site.js';

const nothing = () => undefined;
const every10 = { every: 10, everyUnit: 'secondly' } as const;

/** What follows from a rule, or is written by every run: no change of the rule. */
const derived = [
  'id',
  'next_due_at',
  'failures_in_row',
  'due_priority',
  'due_group',
  'follows_rule_id',
  'revision',
  'must_succeed_ms',
  'succeeded_at',
  'debug_runs',
];

async function revision(bench: Bench, id = 1): Promise<number> {
  return (await bench.rules.get(id)).revision;
}

/** Each change of a rule as `REVISION HOW by WHO: FIELDS`. */
async function changes(bench: Bench, id = 1): Promise<string[]> {
  const rows = await bench.store.db
    .selectFrom('rule_changes')
    .selectAll()
    .where('rule_id', '=', id)
    .orderBy('id')
    .execute();
  return rows.map((row) => {
    const values = `${row.value_before ?? '-'} to ${row.value_after ?? '-'}`;
    return `${row.revision} ${row.how} by ${row.changed_by}: ${row.field} ${values}`;
  });
}

t.test('every column that makes a rule another one counts its revision, and no other does', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing);
  await bench.tasks.setup();
  const columns = Object.keys(
    await bench.store.db.selectFrom('job_rules').selectAll().executeTakeFirstOrThrow(),
  );
  for (const column of columns.filter((name) => name !== 'id' && name !== 'revision')) {
    const before = await revision(bench);
    // Seven is allowed in a column of any type.
    await bench.store.db
      .updateTable('job_rules')
      .set({ [column]: 7 })
      .execute();
    const row = await bench.store.db.selectFrom('job_rules').select('revision').executeTakeFirstOrThrow();
    t.equal(row.revision, derived.includes(column) ? before : before + 1, column);
    await bench.store.db
      .updateTable('job_rules')
      .set({ [column]: 7 })
      .execute();
    const again = await bench.store.db.selectFrom('job_rules').select('revision').executeTakeFirstOrThrow();
    t.equal(again.revision, row.revision, `${column} as it was is no change`);
  }
});

t.test('whatever changes a rule, the history says what, who and how', async (t) => {
  const bench = await openBench(t, { workerId: 'ann' });
  const { rules, tasks } = bench;
  bench.add('report', nothing, every10);
  await tasks.setup();
  await rules.edit(1, { every: 20, name: 'nightly' });
  await rules.cancel(1);
  await rules.resume(1);
  await bench.store.db.updateTable('job_rules').set({ every: 30 }).execute();
  await rules.cancelFailed(bench.store.db, 1, 'no');
  bench.add('report', nothing, { ...every10, every: 15 });
  await tasks.setup();
  await rules.sync([]);
  const all = await changes(bench);
  t.match(all, [
    '0 sync by ann: created - to report',
    '1 command by ann: name report to nightly',
    '1 command by ann: every - to 20',
    `2 command by ann: cancelled_at - to ${noon}`,
    '2 command by ann: cancelled_by - to person',
    '2 command by ann: cancelled_reason - to by ann',
    `3 command by ann: cancelled_at ${noon} to -`,
    '3 command by ann: cancelled_by person to -',
    '3 command by ann: cancelled_reason by ann to -',
    /^4 null by (null|linod): every 20 to 30$/,
    `5 failure by ann: cancelled_at - to ${noon}`,
    '5 failure by ann: cancelled_by - to failure',
    '5 failure by ann: cancelled_reason - to failed: no',
    /^6 sync by ann: suggestion .*"every":10.* to .*"every":15.*$/,
    `6 sync by ann: cancelled_at ${noon} to -`,
    '6 sync by ann: cancelled_by failure to -',
    '6 sync by ann: cancelled_reason failed: no to -',
    `7 sync by ann: removed_at - to ${noon}`,
  ]);
  t.equal(all.length, 18);
});

t.test('undo takes the last change of a person back, and undoing that has it again', async (t) => {
  const bench = await openBench(t, { workerId: 'ann' });
  const { rules, history, tasks } = bench;
  bench.add('report', nothing, { ...every10, excluded: ['sunday'] });
  await tasks.setup();
  await rules.edit(1, { every: 20, excluded: [], timeoutSeconds: 1.5 });
  await rules.edit(1, { every: 30, name: 'nightly' });
  t.match(await history.undo(1), { name: 'report', every: 20 });
  t.match(await history.undo(1), { name: 'nightly', every: 30 });
  await rules.cancel(1);
  t.match(await history.undo(1), { cancelled: false, nextDueAt: new Date(noon + 30_000) });
  bench.add('report', nothing, { every: 5, everyUnit: 'secondly' });
  await tasks.setup();
  t.match(await history.undo(1), { cancelled: true, nextDueAt: null, cancelledReason: 'by ann' });
  t.match(await history.undo(1, 2), { name: 'report', every: 20, cancelled: false });
  t.match(await history.undo(1, 1), {
    every: 5,
    overrides: { every: null, excluded: null, timeoutSeconds: null },
  });
  t.match(await history.undo(1), { every: 20, overrides: { excluded: [], timeoutSeconds: 1.5 } });
  t.match(
    (await history.list(1)).map(({ revision, how, by, changes }) => [
      revision,
      how,
      by,
      changesText(changes),
    ]),
    [
      [0, 'sync', 'ann', 'created as report'],
      [
        1,
        'command',
        'ann',
        'every: suggested → 20, timeoutSeconds: suggested → 1.5, excluded: suggested → none',
      ],
      [2, 'command', 'ann', 'name: report → nightly, every: 20 → 30'],
      [3, 'undo', 'ann', 'name: nightly → report, every: 30 → 20'],
      [4, 'undo', 'ann', 'name: report → nightly, every: 20 → 30'],
      [5, 'command', 'ann', 'cancelled by ann'],
      [6, 'undo', 'ann', 'resumed'],
      [7, 'sync', 'ann', 'suggestion of every: 10 → 5, suggestion of excluded: sunday → none'],
      [8, 'undo', 'ann', 'cancelled by ann'],
      [9, 'undo', 'ann', /^name: nightly → report, every: 30 → 20, resumed$/],
      [10, 'undo', 'ann', /^every: 20 → suggested, /],
      [11, 'undo', 'ann', /^every: suggested → 20, /],
    ],
  );
  const told = await bench.store.db
    .selectFrom('decisions')
    .select(['reason', 'detail'])
    .orderBy('id')
    .execute();
  t.match(
    told.filter(({ detail }) => detail.includes('undone')),
    [
      {
        reason: 'edited',
        detail: 'name: nightly → report, every: 30 → 20, since change 2 was undone by ann',
      },
      { reason: 'edited' },
      { reason: 'resumed', detail: 'since change 5 was undone by ann' },
      { reason: 'cancelled' },
      { reason: 'edited' },
      { reason: 'resumed' },
      { reason: 'edited' },
      { reason: 'edited' },
    ],
  );
});

t.test('there is nothing to undo where no person has changed anything', async (t) => {
  const bench = await openBench(t);
  const { rules, history, tasks } = bench;
  bench.add('report', nothing, every10);
  await tasks.setup();
  await rules.cancelFailed(bench.store.db, 1, 'no');
  await t.rejects(history.undo(1), {
    code: 'LINOD_ERR_USAGE',
    message: 'nobody has changed job rule 1, so there is nothing to undo',
  });
  await rules.edit(1, { every: 20 });
  await t.rejects(history.undo(1, 7), {
    message: 'there is no change of job rule 1 from 7 on that can be undone; there are 2',
  });
  await t.rejects(history.undo(9), { message: 'no job rule 9; there are 1' });
  await t.rejects(history.list(9), { message: 'no job rule 9; there are 1' });
  await rules.edit(1, { every: null });
  await t.rejects(history.undo(1, 2), { message: 'job rule 1 is already as it was before change 2' });
});

t.test('an undo that would make no rule is refused, and changes nothing', async (t) => {
  const bench = await openBench(t);
  const { rules, history, tasks } = bench;
  bench.add('report', nothing, { everyUnit: 'monthly', weekdays: ['monday'] });
  await tasks.setup();
  await rules.edit(1, { positions: [1] });
  await rules.edit(1, { positions: null });
  bench.add('report', nothing, { everyUnit: 'daily' });
  await tasks.setup();
  const before = await rules.get(1);
  await t.rejects(history.undo(1), { code: 'LINOD_ERR_INVALID_RECURRENCE', message: /positions/ });
  t.equal((await rules.get(1)).revision, before.revision);
});
