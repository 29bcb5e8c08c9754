import t from 'tap';
import { CancelJob, RunJob } from '../../../src/actors/run-job.js';
import { findRule } from '../../../src/rules/find-rule.js';
import { openBench } from '../../support/site.js';

const yearly = { everyUnit: 'yearly' } as const;

t.test('a rule is meant by its number, its name, or its procedure, where that has one rule', async (t) => {
  const bench = await openBench(t);
  const print = bench.add('print', () => undefined, yearly);
  bench.add('plan', () => undefined, yearly);
  await bench.tasks.setup();
  await bench.tasks.createRule(print, 'print at night');
  const { db } = bench.store;
  t.equal(await findRule(db, 2), 2);
  t.equal(await findRule(db, '2'), 2);
  t.equal(await findRule(db, 'print'), 1, 'a name is stronger than a procedure');
  t.equal(await findRule(db, 'print at night'), 3);
  await db.updateTable('job_rules').set({ name: 'a plan' }).where('procedure', '=', 'plan').execute();
  t.equal(await findRule(db, 'plan'), 2);
  await t.rejects(findRule(db, 'pint'), {
    code: 'LINOD_ERR_UNKNOWN_RULE',
    rule: 'pint',
    message: 'expected the number or the name of a rule, got: "pint", did you mean "print"?',
  });
  await db.updateTable('job_rules').set({ name: 'print by day' }).where('id', '=', 1).execute();
  await t.rejects(findRule(db, 'print'), {
    code: 'LINOD_ERR_AMBIGUOUS_RULE',
    rule: 'print',
    candidates: [1, 3],
    message: '"print" is the procedure of several rules, name one: 1 (print by day), 3 (print at night)',
  });
  await db.updateTable('job_rules').set({ name: 'print' }).execute();
  await t.rejects(findRule(db, 'print'), { code: 'LINOD_ERR_AMBIGUOUS_RULE', candidates: [1, 2, 3] });
});

t.test(
  'a program asks for a run by the name of the rule, and nothing is asked for where that is unclear',
  async (t) => {
    const bench = await openBench(t);
    await bench.join();
    const seen: unknown[] = [];
    const print = bench.add('print', ({ args }) => seen.push(args), yearly);
    await bench.tasks.setup();
    await bench.tasks.createRule(print, 'by day');
    await bench.store.db.updateTable('job_rules').set({ name: 'at night' }).where('id', '=', 1).execute();
    const { request } = await RunJob.request(bench, 'by day', { args: { page: 3 } });
    await bench.tasks.run();
    await bench.tasks.settled();
    t.match(await RunJob.ended(bench, request), { ruleId: 2, status: 'done' });
    t.same(seen, [{ page: 3 }]);
    t.equal(await CancelJob.request(bench, 1), null, 'it has ended');
    await t.rejects(RunJob.request(bench, 'print'), { code: 'LINOD_ERR_AMBIGUOUS_RULE' });
    await t.rejects(RunJob.request(bench, 'nobody'), { code: 'LINOD_ERR_UNKNOWN_RULE' });
    const requests = await bench.store.db.selectFrom('job_requests').select('id').execute();
    t.equal(requests.length, 1);

    const later = await RunJob.request(bench, 'at night');
    await RunJob.stop(bench, 'at night');
    await bench.tasks.run();
    t.equal(await RunJob.ended(bench, later.request), null, 'a request that is taken back comes to nothing');
  },
);
