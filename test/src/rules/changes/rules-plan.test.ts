import t from 'tap';
import { changesText } from '../../../../src/rules/changes/field-changes.js';
import { exportRules, parseRulesFile, type RulesFile } from '../../../../src/rules/changes/rules-file.js';
import type { RulesPlan } from '../../../../src/rules/changes/rules-plan.js';
import { type Bench, noon, openBench } from '../../../support/site.js';

const nothing = () => undefined;
const every10 = { every: 10, everyUnit: 'secondly' } as const;

/** As it comes out of a file. */
function fileOf(...rules: unknown[]): RulesFile {
  return parseRulesFile(JSON.parse(JSON.stringify({ version: 1, rules })), 'rules.json');
}

async function exported(bench: Bench): Promise<RulesFile> {
  return fileOf(...exportRules(await bench.rules.list()).rules);
}

function lines(plan: RulesPlan): string[] {
  return plan.rules.map(({ kind, name, changes }) => `${kind} ${name}: ${changesText(changes)}`);
}

/** All that is in the tables of rules. */
async function everything(bench: Bench): Promise<unknown> {
  const { db } = bench.store;
  return {
    rules: await db.selectFrom('job_rules').selectAll().orderBy('id').execute(),
    changes: await db.selectFrom('rule_changes').selectAll().orderBy('id').execute(),
    decisions: await db.selectFrom('decisions').selectAll().orderBy('id').execute(),
  };
}

async function gardenOf(t: Parameters<typeof openBench>[0]): Promise<Bench> {
  const bench = await openBench(t, { workerId: 'ann' });
  bench.add('water', nothing, every10);
  bench.add('feed', nothing, { startDatetime: 'T20:00:00' });
  await bench.tasks.setup();
  return bench;
}

t.test(
  'what was exported changes nothing where it comes from, and makes another site the same',
  async (t) => {
    const bench = await gardenOf(t);
    const { rules } = bench;
    await rules.edit(1, {
      every: 20,
      excluded: ['sunday'],
      until: '',
      timeoutSeconds: 1.5,
      logLevel: 'DEBUG',
    });
    await rules.edit(2, { when: '0 4 * * mon-fri' });
    await rules.create(bench.add('feed', nothing, { startDatetime: 'T20:00:00' }), 'feed twice');
    await rules.edit(3, { runAfter: 'feed' });
    await rules.cancel(3);
    const file = await exported(bench);
    t.same((await bench.plans.plan(file, 'rules.json')).rules, []);
    t.match(file.rules, [
      { name: 'feed', procedure: 'feed', overrides: { everyUnit: 'cron', cron: '0 4 * * mon-fri' } },
      { name: 'feed twice', procedure: 'feed', cancelled: true },
      {
        name: 'water',
        overrides: { every: 20, excluded: ['sunday'], until: '' },
        suggestion: { every: 10, logLevel: 'INFO' },
        effective: { every: 20, everyUnit: 'secondly', logLevel: 'DEBUG' },
      },
    ]);
    const other = await gardenOf(t);
    t.equal((await other.plans.apply(file, 'rules.json')).rules.length, 3);
    t.same((await exported(other)).rules, file.rules);
    t.same((await other.plans.plan(file, 'rules.json')).rules, [], 'a second time there is nothing to do');
  },
);

t.test('a plan tells what would change, and changes nothing', async (t) => {
  const bench = await gardenOf(t);
  await bench.rules.edit(1, { every: 20 });
  const before = await everything(bench);
  const file = fileOf(
    { name: 'feed', overrides: { startDatetime: 'T21:00:00' }, cancelled: true },
    { name: 'evening', procedure: 'water', overrides: { every: 3 } },
    { name: 'water', overrides: { overlap: 'allow' } },
  );
  const plan = await bench.plans.plan(file, 'rules.json');
  t.same(lines(plan), [
    'change feed: startDatetime: suggested → T21:00:00, cancelled by ann',
    'create evening: created as evening, every: suggested → 3',
    'change water: every: 20 → suggested, overlap: suggested → allow',
  ]);
  t.match(plan.rules, [
    { nextRunBefore: new Date(noon + 8 * 3_600_000), nextRunAfter: null },
    { nextRunBefore: null, nextRunAfter: new Date(noon + 3000) },
    { nextRunBefore: new Date(noon + 20_000), nextRunAfter: new Date(noon + 10_000) },
  ]);
  t.same(await everything(bench), before);
  t.equal((await bench.plans.plan(file, 'rules.json')).digest, plan.digest);
  const applied = await bench.plans.apply(file, 'rules.json', plan.digest);
  t.same(lines(applied), lines(plan), 'applying does what the plan told');
  t.match(await bench.history.list(1), [{}, {}, { how: 'apply', by: 'ann' }]);
  t.match(await bench.history.undo(1), { every: 20 }, 'what was applied can be undone');
});

t.test('a plan that is out of date is refused', async (t) => {
  const bench = await gardenOf(t);
  const file = fileOf({ name: 'water', overrides: { every: 3 } });
  const { digest } = await bench.plans.plan(file, 'rules.json');
  await bench.rules.edit(1, { every: 20 });
  const before = await everything(bench);
  await t.rejects(bench.plans.apply(file, 'rules.json', digest), {
    code: 'LINOD_ERR_STALE_PLAN',
    message: `the rules or the file have changed since plan ${digest} was made`,
  });
  t.same(await everything(bench), before);
});

t.test('one thing that is wrong keeps all from being changed, and all of it is told', async (t) => {
  const bench = await gardenOf(t);
  const before = await everything(bench);
  const refuse = async (problems: readonly (string | RegExp)[], ...rules: unknown[]) => {
    await t.rejects(bench.plans.apply(fileOf(...rules), 'rules.json'), {
      code: 'LINOD_ERR_BAD_RULES_FILE',
      problems,
    });
    t.same(await everything(bench), before);
  };
  await refuse(
    [
      /^rules\[1\] \(feed\): expected overlap to be one of .*, got: "alow", did you mean "allow"\?/,
      /^rules\[2\] \(more\): expected every to be a number, got: "2"/,
      'rules[3] (short): expected cron to be a text, got: 5',
      'rules[4] (long): expected weekdays to be a list such as ["monday"], got: 5',
    ],
    { name: 'water', overrides: { every: 3 } },
    { name: 'feed', overrides: { overlap: 'alow' } },
    { name: 'more', procedure: 'water', overrides: { every: '2' } },
    { name: 'short', procedure: 'water', overrides: { cron: 5 } },
    { name: 'long', procedure: 'water', overrides: { weekdays: 5 } },
  );
  await refuse(
    [
      'rules[0] (watre): there is no rule of this name, and no procedure "watre" to make one of, did you mean "water"?',
      'rules[1] (water): there is no rule 7 of procedure water',
      'rules[3] (feed): it is the same rule as rules[2] (feed)',
    ],
    { name: 'watre', overrides: {} },
    { name: 'water', procedure: 'water', number: 7, overrides: {} },
    { name: 'feed', overrides: {} },
    { name: 'feed', procedure: 'feed', overrides: {} },
  );
  await refuse(
    [/runAfter/],
    { name: 'water', overrides: { runAfter: 'nobody' } },
    { name: 'feed', overrides: {} },
  );
});

t.test(
  'rules that run after one another may be turned round, in whatever order the file has them',
  async (t) => {
    const bench = await gardenOf(t);
    bench.add('sweep', nothing, every10);
    await bench.tasks.setup();
    await bench.rules.edit(2, { runAfter: 'water' });
    await bench.rules.edit(3, { runAfter: 'feed' });
    const file = fileOf(
      { name: 'water', overrides: { runAfter: 'feed' } },
      { name: 'feed', overrides: { runAfter: 'sweep' } },
      { name: 'sweep', overrides: {} },
    );
    await bench.plans.apply(file, 'rules.json');
    const rows = await bench.store.db
      .selectFrom('job_rules')
      .select('follows_rule_id')
      .orderBy('id')
      .execute();
    t.same(
      rows.map((row) => row.follows_rule_id),
      [2, 3, null],
    );
  },
);

t.test('rules of one name are told apart by their numbers', async (t) => {
  const bench = await gardenOf(t);
  await bench.rules.create(bench.add('water', nothing, every10));
  const file = await exported(bench);
  t.match(file.rules, [{ name: 'feed', number: undefined }, { number: 1 }, { number: 3 }]);
  t.same((await bench.plans.plan(file, 'rules.json')).rules, []);
  await t.rejects(bench.plans.plan(fileOf({ name: 'water', overrides: {} }), 'rules.json'), {
    code: 'LINOD_ERR_BAD_RULES_FILE',
    problems: ['rules[0] (water): there are several rules of this name: 1, 3; say which one with "number"'],
  });
  await bench.plans.apply(fileOf({ name: 'at night', number: 3, overrides: {} }), 'rules.json');
  t.match(await bench.rules.get(3), { name: 'at night' });
});

t.test(
  'rules that are not in the file stay, and what a failure cancelled is not decided by it',
  async (t) => {
    const bench = await gardenOf(t);
    await bench.rules.edit(1, { every: 20 });
    await bench.rules.cancelFailed(bench.store.db, 2, 'no');
    const plan = await bench.plans.apply(
      fileOf({ name: 'feed', cancelled: false, overrides: {} }),
      'rules.json',
    );
    t.match(plan, { rules: [], unchanged: 1, notInFile: ['water'] });
    t.match(await bench.rules.get(1), { every: 20 });
    t.match(await bench.rules.get(2), { cancelledBy: 'failure' });
    t.match((await exported(bench)).rules[0], { name: 'feed', cancelled: false });
    await bench.tasks.setup();
    await bench.rules.cancel(2);
    await bench.plans.apply(fileOf({ name: 'feed', overrides: {} }), 'rules.json');
    t.match(await bench.rules.get(2), { cancelled: true }, 'nothing is said of it');
    await bench.plans.apply(fileOf({ name: 'feed', cancelled: false, overrides: {} }), 'rules.json');
    t.match(await bench.rules.get(2), { cancelled: false });
  },
);

t.test('a file with other things in it is refused with their places', async (t) => {
  const problems = (value: unknown) => {
    try {
      parseRulesFile(value, 'rules.json');
      return [];
    } catch (error) {
      return (error as { problems?: unknown }).problems;
    }
  };
  t.same(problems('x'), ['the file: expected an object such as {"version": 1, "rules": []}, got: "x"']);
  t.same(problems({ version: 2, rulez: [] }), [
    'the file: expected version to be 1, got: 2',
    'the file: rules is missing',
    'the file: there is no key "rulez", did you mean "rules"?',
  ]);
  t.same(problems({ version: 1, rules: [7, { name: '', overides: {}, cancelled: 'no' }] }), [
    'rules[0]: expected an object, got: 7',
    'rules[1]: expected name to be a text, got: ""',
    'rules[1]: expected cancelled to be true or false, got: "no"',
    'rules[1]: overrides is missing',
    'rules[1]: there is no key "overides", did you mean "overrides"?',
  ]);
  t.match(problems({ version: 1, rules: [{ name: 'a', overrides: { evry: 1, when: 'daily' } }] }), [
    'rules[0] (a): there is no key "evry" in overrides, did you mean "every"?',
    /^rules\[0\] \(a\): there is no key "when" in overrides; there are every, /,
  ]);
});
