import t from 'tap';
import { type Bench, noon, openBench } from '../../support/site.js';

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
  await rules.cancelBroken(1, 'no');
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
    `7 sync by ann: cancelled_at ${noon} to -`,
    '7 sync by ann: cancelled_by failure to -',
    '7 sync by ann: cancelled_reason failed: no to -',
    `8 sync by ann: removed_at - to ${noon}`,
  ]);
  t.equal(all.length, 18);
});
