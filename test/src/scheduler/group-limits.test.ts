// Rules of one group with limits of their own: who comes first is not overtaken, however many are looked at together.

import t from 'tap';
import { ruleStory } from '../../../src/insight/why/rule-story.js';
import { StartOrders } from '../../../src/membership/start-orders.js';
import { gate } from '../../support/gate.js';
import { type Bench, openBench } from '../../support/site.js';
import { until } from '../../support/until.js';

const nothing = () => undefined;

async function started(bench: Bench): Promise<string[]> {
  return (await bench.jobs.list({ limit: 100 })).map(({ procedure }) => procedure).sort();
}

async function blocker(bench: Bench, rule: number): Promise<string[]> {
  const { outlook } = await ruleStory(bench, rule, { now: new Date(bench.clock.now()) });
  return outlook.blockers.map(({ sentence }) => sentence);
}

// With few places a look reads two rules at first, with many all of them.
for (const maxJobs of [2, 40])
  t.test(`with ${maxJobs} places, no rule of a group overtakes one that waits for it`, async (t) => {
    const bench = await openBench(t, { maxJobs });
    await bench.join();
    await new StartOrders(bench.store.db, bench.clock).add('run.system.tasks', 'test');
    const long = gate();
    const mail = { everyUnit: 'daily', group: 'mail', startDatetime: 'T12:00:20', overlap: 'allow' } as const;
    bench.add('long', () => long.promise, { ...mail, startDatetime: 'T12:00:10', groupLimit: 3 });
    bench.add('strict', nothing, { ...mail, groupLimit: 1 });
    for (const name of ['loose', 'looser']) bench.add(name, nothing, { ...mail, groupLimit: 3 });
    bench.add('other', nothing, { ...mail, group: '', priority: -1 });
    await bench.tasks.setup();
    bench.clock.advance(10_000);
    await bench.tasks.run();
    bench.clock.advance(20_000);
    await bench.tasks.run();
    t.strictSame(await started(bench), ['long', 'other'], 'what is of no group does not wait');
    t.strictSame(await blocker(bench, 2), ['group mail is at its limit of 1: job 1']);
    t.strictSame(await blocker(bench, 4), ['rule #2 strict comes first and waits for group mail: job 1']);
    await until('the other one has ended', () => bench.tasks.running.length === 1);
    const asked = await bench.requests.add(3, 'run', 'robin');
    await bench.tasks.run();
    t.strictSame(
      await started(bench),
      ['long', 'loose', 'other'],
      'who is asked for does not wait behind a due time',
    );
    await until('that has ended', () => bench.tasks.running.length === 1);
    await bench.requests.add(2, 'run', 'robin');
    await bench.requests.add(4, 'run', 'robin');
    await bench.tasks.run();
    t.equal(
      (await bench.jobs.list({ limit: 100 })).length,
      3,
      `behind a request it does, after request ${asked}`,
    );

    long.open();
    await bench.tasks.settled();
    for (let i = 0; i < 4; i++) {
      await bench.tasks.run();
      await bench.tasks.settled();
    }
    const entries = await bench.store.db
      .selectFrom('decisions')
      .select('detail')
      .where('reason', '=', 'late')
      .where('rule_id', 'in', [2, 4])
      .execute();
    // With two places, these were what they waited for last.
    if (maxJobs > 2)
      t.strictSame(
        entries.map(({ detail }) => detail),
        Array.from({ length: 2 }, () => 'by 10 s: group mail was at its limit of 1'),
      );
  });
