// What follows from how a run ended: how many attempts there are and when, and which rules come after it.

import t from 'tap';
import type { Job } from '../../../src/runs/job.js';
import { readPendingWork } from '../../../src/scheduler/due.js';
import { gate } from '../../support/gate.js';
import { type Bench, noon, openBench } from '../../support/site.js';
import { until } from '../../support/until.js';

const yearly = { everyUnit: 'yearly' } as const;
const failing = () => Promise.reject(new Error('no luck'));

async function run({ requests, tasks }: Bench, rule = 1): Promise<void> {
  await requests.add(rule, 'run', 'ann');
  await tasks.run();
  await tasks.settled();
}

/** How long from now until the further attempt that waits; null when none does. */
async function untilNext({ store, clock }: Bench): Promise<number | null> {
  const { nextAsked: at } = await readPendingWork(store.db, clock.now());
  return at === null ? null : at - clock.now();
}

async function attempts({ jobs }: Bench): Promise<string[]> {
  return (await jobs.list()).reverse().map(({ attempt, status }: Job) => `${attempt} ${status}`);
}

t.test('there are as many further attempts as a rule says, each later than the one before', async (t) => {
  const bench = await openBench(t);
  bench.add('mail', failing, { ...yearly, onFailure: 'retry', retries: 2, retryDelaySeconds: 100 });
  await bench.tasks.setup();
  await run(bench);
  for (const seconds of [100, 200]) {
    const delay = (await untilNext(bench)) ?? 0;
    t.ok(delay >= seconds * 900 && delay <= seconds * 1100, `about ${seconds} s: ${delay} ms`);
    t.equal((await bench.rules.get(1)).cancelledAt, null);
    bench.clock.advance(delay);
    await bench.tasks.run();
    await bench.tasks.settled();
  }
  t.same(await attempts(bench), ['1 failed', '2 failed', '3 failed']);
  t.equal(await untilNext(bench), null);
  t.match((await bench.rules.get(1)).cancelledReason, /no luck \(job 3\)/);
});

t.test('no attempt waits for more than an hour, give or take a tenth', async (t) => {
  const bench = await openBench(t);
  bench.add('mail', failing, { ...yearly, onFailure: 'retry', retries: 9, retryDelaySeconds: 80_000 });
  await bench.tasks.setup();
  await run(bench);
  const delay = (await untilNext(bench)) ?? 0;
  t.ok(delay >= 3_240_000 && delay <= 3_960_000, `${delay} ms`);
});

t.test('what took too long has failed', async (t) => {
  const bench = await openBench(t);
  const work = gate();
  t.teardown(work.open);
  bench.add('mail', () => work.promise, { ...yearly, timeoutSeconds: 60, graceSeconds: 1 });
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'ann');
  await bench.tasks.run();
  bench.clock.advance(60_000);
  bench.clock.advance(1000);
  await until('its end is written', async () => (await attempts(bench))[0] === '1 timeout');
  t.match((await bench.rules.get(1)).cancelledReason, /^failed: ended at its timeout of 1 min/);
});

t.test('nothing is tried again of a rule that somebody has cancelled meanwhile', async (t) => {
  const bench = await openBench(t);
  const work = gate();
  const options = { ...yearly, onFailure: 'retry', onLost: 'run-again' } as const;
  bench.add('fails', () => work.promise.then(failing), options);
  bench.add('vanishes', () => work.promise, options);
  await bench.tasks.setup();
  for (const rule of [1, 2]) await bench.requests.add(rule, 'run', 'ann');
  await bench.tasks.run();
  for (const rule of [1, 2]) await bench.rules.cancel(rule);
  // No worker is registered, so that the second run counts as lost; the first has ended by then.
  await bench.store.db.updateTable('jobs').set({ worker_id: 'gone' }).where('rule_id', '=', 2).execute();
  work.open();
  await bench.tasks.settled();
  await bench.join();
  t.equal((await bench.ends.giveUpLost()).length, 1);
  t.same((await attempts(bench)).sort(), ['1 failed', '1 lost']);
  t.equal(await untilNext(bench), null);
  const waiting = await bench.requests.open(9);
  t.equal(waiting.length, 0);
});

t.test(
  'a rule that comes after another one does so only when that is done, and keeps its turn',
  async (t) => {
    const bench = await openBench(t);
    let fails = true;
    bench.add('first', () => (fails ? failing() : undefined), { ...yearly, onFailure: 'continue' });
    const work = gate();
    t.teardown(work.open);
    bench.add('then', () => work.promise, { ...yearly, runAfter: 'first', overlap: 'queue-one' });
    await bench.tasks.setup();
    const due = async () => (await bench.rules.get(2)).nextDueAt?.getTime() ?? null;
    await run(bench);
    t.equal(await due(), null, 'the first has failed');
    fails = false;
    await run(bench);
    t.equal(await due(), noon);
    await bench.tasks.run();
    t.equal(await due(), null, 'it runs');
    const again = async () => {
      await bench.requests.add(1, 'run', 'ann');
      await bench.tasks.run();
      await until('the first is done', () => bench.tasks.running.length === 1);
    };
    await again();
    t.equal(await due(), noon, 'it waits for its own run');
    bench.clock.advance(1000);
    await again();
    t.equal(await due(), noon, 'since when it waits does not change');
  },
);
