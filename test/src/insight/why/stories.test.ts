// Explains rules and due times: blockers, upcoming times, and the outcome of one due time.

import t, { type Test } from 'tap';
import { dueTimeStory } from '../../../../src/insight/why/due-time-story.js';
import { ruleStory } from '../../../../src/insight/why/rule-story.js';
import { StartOrders } from '../../../../src/membership/start-orders.js';
import { readDue } from '../../../../src/scheduler/due.js';
import { type Bench, noon, openBench } from '../../../support/site.js';
import { quietView } from '../../../support/tasks.js';
import { until } from '../../../support/until.js';

const every10 = { every: 10, everyUnit: 'secondly' } as const;
const nothing = () => undefined;

function at(seconds: number): Date {
  return new Date(noon + seconds * 1000);
}

async function outlook(bench: Bench, ruleId = 1) {
  const story = await ruleStory(bench, ruleId, { now: new Date(bench.clock.now()) });
  return { ...story.outlook, codes: story.outlook.blockers.map(({ code }) => code) };
}

async function blocker(bench: Bench, ruleId = 1): Promise<string[]> {
  return (await outlook(bench, ruleId)).blockers.map(({ sentence }) => sentence);
}

async function dueTime(bench: Bench, seconds: number, ruleId = 1): Promise<string[]> {
  return [...(await dueTimeStory(bench, ruleId, at(seconds), new Date(bench.clock.now()))).sentences];
}

/** A site with a worker that runs the rules. */
async function working(t: Test, { maxJobs = 10 } = {}): Promise<Bench> {
  const bench = await openBench(t, { maxJobs });
  await bench.join();
  await new StartOrders(bench.store.db, bench.clock).add('run.system.tasks', 'test');
  return bench;
}

async function runAfter(bench: Bench, seconds: number): Promise<void> {
  bench.clock.advance(seconds * 1000);
  await bench.tasks.run();
  await bench.tasks.settled();
}

t.test('a rule that will run has no blockers, and its next due times are listed', async (t) => {
  const bench = await working(t);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  const { next, overdue, blockers, waiting } = await outlook(bench);
  t.same(
    next.map(({ at: time, sentence }) => [(time.getTime() - noon) / 1000, sentence]),
    [10, 20, 30, 40, 50].map((seconds) => [seconds, 'due']),
  );
  t.same({ overdue, blockers, waiting }, { overdue: null, blockers: [], waiting: [] });
});

t.test('skipped and moved times are listed with the next due times', async (t) => {
  const bench = await working(t);
  const daily = { every: 1, everyUnit: 'daily', startDatetime: '2026-11-24T12:00:00' } as const;
  bench.add('skipped', nothing, { ...daily, excluded: ['thu'] });
  bench.add('moved', nothing, {
    ...daily,
    weekdays: ['thursday'],
    excluded: ['thu'],
    onExcluded: 'postpone',
  });
  await bench.tasks.setup();
  const lines = async (rule: number) =>
    (await outlook(bench, rule)).next
      .slice(0, 2)
      .map(({ at: time, sentence }) => `${time.toISOString().slice(0, 10)} ${sentence}`);
  t.same(await lines(1), ['2026-11-25 due', '2026-11-26 not due: excluded by thu']);
  t.match(await lines(2), ['2026-11-27 due, from 2026-11-26T12:00:00+00:00: excluded by thu']);
});

t.test('without a worker, sentences say since when and what will happen to missed due times', async (t) => {
  const bench = await openBench(t);
  bench.add('tick', nothing, every10);
  bench.add('all', nothing, { ...every10, misfire: 'run-all' });
  bench.add('none', nothing, { ...every10, misfire: 'skip' });
  bench.add('some', nothing, { ...every10, misfireWindowSeconds: 60 });
  await bench.tasks.setup();
  t.same(await blocker(bench), [
    'no worker has run yet, as far as is known; start one: runworker linod_test',
  ]);
  await bench.join('vm[1]@x');
  await bench.store.db
    .updateTable('workers')
    .set({ stopped_at: noon + 5000, heartbeat_at: noon + 5000, stop_reason: 'it was stopped' })
    .execute();
  bench.clock.advance(35_000);
  t.same(await blocker(bench), [
    'no worker has run since 2026-11-24T12:00:05+00:00: vm[1]@x was stopped; start one: runworker linod_test',
  ]);
  const since = 'due since 2026-11-24T12:00:10+00:00: 3 due times have passed;';
  const overdue = await Promise.all([1, 2, 3, 4].map(async (rule) => (await outlook(bench, rule)).overdue));
  t.same(overdue, [
    `${since} one run will make up for them as soon as possible`,
    `${since} each will run as soon as possible`,
    `${since} they will not be made up for (misfire is skip)`,
    `${since} one run will make up for them as soon as possible, unless it is more than 1 min late by then`,
  ]);
  await bench.store.db
    .updateTable('workers')
    .set({ heartbeat_at: noon + 3000, stopped_at: noon + 30_000, stop_reason: 'its process 1 is gone' })
    .execute();
  t.match(await blocker(bench), [
    /^no worker has run since 2026-11-24T12:00:03\+00:00: vm\[1\]@x sent its last heartbeat \(its process 1 is gone\);/,
  ]);
});

t.test('the explanation of a late due time says between which times no worker ran', async (t) => {
  const bench = await working(t);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  const { db } = bench.store;
  await db
    .updateTable('workers')
    .set({ stopped_at: noon + 5000, heartbeat_at: noon + 5000, stop_reason: 'it was stopped' })
    .execute();
  bench.clock.advance(45_000);
  await bench.join('w2');
  const later = await openBench(t, { store: bench.store, clock: bench.clock, workerId: 'w2' });
  later.add('tick', nothing, every10);
  await later.tasks.run();
  await later.tasks.settled();
  const absence =
    'no worker ran from 2026-11-24T12:00:05+00:00, when w1 was stopped, until 2026-11-24T12:00:45+00:00, when w2 started';
  t.same(await dueTime(later, 10), [
    'run late, by 35 s: no worker ran the rules then; job 1 was done after 0 ms',
    'it ran on worker w2',
    absence,
  ]);
  t.same(await dueTime(later, 30), [
    '3 due times up to 2026-11-24T12:00:40+00:00 passed meanwhile: job 1 made up for them',
    absence,
  ]);
});

t.test('each blocker comes with what to do about it', async (t) => {
  const bench = await openBench(t, { maxJobs: 2 });
  bench.add('tick', nothing, { ...every10, group: 'mail' });
  bench.add('once', nothing, { ...every10, count: 1, startDatetime: '2026-11-24T12:00:01' });
  bench.add('after', nothing, { runAfter: 'tick' });
  let release: () => void = nothing;
  const long = new Promise<void>((resolve) => {
    release = resolve;
  });
  bench.add('long', () => long, { ...every10, group: 'mail', overlap: 'queue-one' });
  await bench.tasks.setup();
  await bench.join();
  t.same(await blocker(bench), ['the task coroutine was never started: initiate_linod']);
  await new StartOrders(bench.store.db, bench.clock).add('run.system.tasks', 'test');
  t.same(await blocker(bench), []);
  t.same(await blocker(bench, 3), ['it runs whenever a run of rule #1 tick is done']);

  const workers = (values: object) => bench.store.db.updateTable('workers').set(values).execute();
  await workers({ procedures: '["other"]' });
  t.match(await blocker(bench), ['no worker has the procedure tick: restart w1']);
  await workers({ procedures: '["tick","long","once"]', max_jobs: 1 });
  t.same(await blocker(bench), []);
  const health = { logger: 'off', listeners: [] };
  await workers({ health: JSON.stringify({ ...health, tasks: 'paused' }) });
  t.match(await blocker(bench), ['all workers are paused until SIGCONT: w1']);
  await workers({ health: JSON.stringify({ ...health, tasks: 'running' }) });

  await bench.rules.cancel(1);
  t.match(await blocker(bench), [
    'the rule has been cancelled since 2026-11-24T12:00:00+00:00, by w1: resume it with `linod rule 1 resume`',
  ]);
  t.match(await blocker(bench, 3), ['it runs whenever a run of rule #1 tick is done, which is cancelled']);

  bench.clock.advance(10_000);
  await bench.tasks.run();
  await until('the short one has ended', () => bench.tasks.running.length === 1);
  t.same((await outlook(bench, 2)).codes, ['ended', 'slots']);
  t.match(await blocker(bench, 2), [
    /^the rule has ended \(count 1\); it counts its times from \S+: restart the count with `linod rule 2 set startDatetime=…`$/,
  ]);
  const [running] = bench.tasks.running;
  t.match(await blocker(bench, 4), [
    'all job slots are taken: 1 of 1 on w1',
    `job ${running?.id} has been running since 2026-11-24T12:00:10+00:00: due times and requests wait until it ends (overlap is queue-one)`,
    `group mail is at its limit of 1: job ${running?.id}`,
  ]);
  release();
  await bench.tasks.settled();
  await workers({ procedures: '[]' });
  await bench.rules.sync([]);
  t.match((await outlook(bench, 4)).codes, ['removed']);
});

t.test('requests and further attempts that wait are listed', async (t) => {
  const bench = await working(t);
  bench.add('tick', () => Promise.reject(new Error('no stock')), {
    everyUnit: 'hourly',
    onFailure: 'retry',
    retries: 1,
    retryDelaySeconds: 3600,
  });
  await bench.tasks.setup();
  await runAfter(bench, 3600);
  await bench.requests.add(1, 'run', 'robin');
  const { waiting } = await outlook(bench);
  t.match(waiting, [
    /^attempt 2, after job 1, which failed, waits until 2026-11-24T1[34]:\d\d:\d\d\S*$/,
    'request 2 of robin, made at 2026-11-24T13:00:00+00:00, waits',
  ]);
  t.match(await dueTime(bench, 3600), [
    'run on time; job 1 failed after 0 ms: Error: no stock',
    'it ran on worker w1',
    /^attempt 2 is scheduled for 2026-11-24T1[34]:/,
  ]);
  await runAfter(bench, 7200);
  const sentences = await dueTime(bench, 3600);
  t.match(sentences[2], /^attempt 2: job \d failed after 0 ms: Error: no stock$/);
});

t.test('for a time between two due times, the nearest one is explained', async (t) => {
  const bench = await working(t);
  bench.add('tick', nothing, { every: 1, everyUnit: 'hourly' });
  await bench.tasks.setup();
  await runAfter(bench, 3600);
  const [heading, sentence] = await dueTime(bench, 4000);
  t.equal(
    heading,
    'the rule was not due at 2026-11-24T13:06:40+00:00; the nearest due time is 2026-11-24T13:00:00+00:00',
  );
  t.match(sentence, /^run on time; job 1 was done/);
  t.same(await dueTime(bench, 7200), ['it is still to come']);
  t.same((await dueTime(bench, 2.5 * 86_400)).at(-1), 'it is still to come');
});

t.test('explains times while the rule was cancelled, before it was made, and without entries', async (t) => {
  const bench = await working(t);
  bench.add('tick', nothing, { every: 1, everyUnit: 'hourly' });
  await bench.tasks.setup();
  await bench.rules.cancel(1);
  bench.clock.advance(5 * 3_600_000);
  t.same(await dueTime(bench, 7200), [
    'there is no due time near',
    'the rule had been cancelled since 2026-11-24T12:00:00+00:00: by w1',
  ]);
  await bench.rules.resume(1);
  t.same(await dueTime(bench, 7200), [
    'from 2026-11-24T13:00:00+00:00 on: 5 due times up to 2026-11-24T17:00:00+00:00 were not run: the rule was cancelled then',
  ]);
  t.match((await dueTime(bench, -7200)).at(-1), /^5 due times|^from /);
  await bench.store.db.deleteFrom('decisions').execute();
  t.match((await dueTime(bench, -7200)).at(-1), 'the rule was made at 2026-11-24T12:00:00+00:00');
});

t.test('a due time that several workers tried to claim is explained once', async (t) => {
  const bench = await openBench(t);
  const others = [];
  for (const workerId of ['w2', 'w3'])
    others.push(await openBench(t, { store: bench.store, clock: bench.clock, workerId }));
  bench.add('tick', () => undefined, { every: 10, everyUnit: 'secondly' });
  await bench.tasks.setup();
  for (const seconds of [10, 20]) {
    bench.clock.setTo(noon + seconds * 1000);
    const due = await readDue(bench.store.db, { by: bench.clock.now(), limit: 10, offset: 0 });
    await bench.tasks.run();
    await bench.tasks.settled();
    for (const { claimer } of others) t.same((await claimer.claimDue(due, quietView)).claimed, []);
  }
  const now = new Date(bench.clock.now());
  const taken = bench.store.db.selectFrom('decisions').select('id').where('reason', '=', 'taken');
  t.equal((await taken.execute()).length, 4, 'the ledger has it');
  t.same(
    (await ruleStory(bench, 'tick', { now, limit: 2 })).entries.map(({ sentence }) => sentence),
    ['run on time; job 1 was done after 0 ms', 'run on time; job 2 was done after 0 ms'],
  );
  t.same((await dueTimeStory(bench, 1, now, now)).sentences, [
    'run on time; job 2 was done after 0 ms',
    'it ran on worker w1',
  ]);
});
