// How runs end, by themselves and otherwise, and what their rules make of it.

import t from 'tap';
import type { BaseRequest } from '../../../src/rules/base-request.js';
import { settleMs } from '../../../src/runs/run-stop.js';
import { gate } from '../../support/gate.js';
import { openBench } from '../../support/site.js';
import { every10, oldestFirst, openRequests, reasons } from '../../support/tasks.js';
import { turns, until } from '../../support/until.js';

t.test(
  'a procedure that throws gets a failed job with its stack and its lines, and its rule is cancelled',
  async (t) => {
    const bench = await openBench(t);
    bench.add(
      'stumble',
      (ar: BaseRequest) => {
        ar.debug('too quiet');
        ar.info('about to fall', { step: 3 });
        throw new Error('fallen', { cause: new Error('a stone') });
      },
      every10,
    );
    await bench.tasks.setup();
    bench.clock.advance(10_000);
    await bench.tasks.run();
    await bench.tasks.settled();
    const [job] = await oldestFirst(bench);
    t.match(job, {
      status: 'failed',
      message: /^Error: fallen\n {4}at [\s\S]*\[cause\]: Error: a stone\n {6}at /,
    });
    const lines = await bench.jobs.lines(1);
    t.same(
      lines.map(({ level, text }) => [level, text.split('\n', 1)[0]]),
      [
        ['INFO', 'about to fall {"step":3}'],
        ['ERROR', 'failed'],
      ],
    );
    t.same(await bench.tasks.status(), [
      'Job rule #1 <Procedures.stumble every 10 secondly> cancelled at 2026-11-24T12:00:10+00:00, failed: Error: fallen (job 1); resume it with `linod rule 1 resume`',
    ]);
    bench.clock.advance(60_000);
    await bench.tasks.run();
    t.equal((await oldestFirst(bench)).length, 1, 'a cancelled rule is ignored');
  },
);

t.test('a rule with onFailure continue goes on after a failure', async (t) => {
  const bench = await openBench(t);
  bench.add('stumble', () => Promise.reject(new Error('no')), { ...every10, onFailure: 'continue' });
  await bench.tasks.setup();
  for (let i = 0; i < 2; i++) {
    bench.clock.advance(10_000);
    await bench.tasks.run();
    await bench.tasks.settled();
  }
  t.same(
    (await oldestFirst(bench)).map((job) => job.status),
    ['failed', 'failed'],
  );
});

t.test('a run that is asked to end gets its signal, and the job says by whom', async (t) => {
  const bench = await openBench(t);
  bench.add(
    'long',
    (ar: BaseRequest) =>
      new Promise((_resolve, reject) => ar.signal.addEventListener('abort', () => reject(ar.signal.reason))),
    every10,
  );
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.requests.add(1, 'cancel', 'robin');
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await oldestFirst(bench), [
    {
      status: 'cancelled',
      message: 'cancelled by robin; it ended as it was asked to',
    },
  ]);
  t.notOk((await bench.rules.get(1)).cancelled, 'the rule goes on at its next time');
  await bench.requests.add(1, 'cancel', 'robin');
  await bench.tasks.run();
  t.same(await openRequests(bench), [], 'with no run there is nothing to end');
});

t.test('a run that takes too long is told so, given up, and the job says it', async (t) => {
  const bench = await openBench(t);
  const deaf = gate();
  bench.add('deaf', () => deaf.promise, { ...every10, timeoutSeconds: 7200 });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  bench.clock.advance(7_200_000);
  bench.clock.advance(settleMs);
  await bench.tasks.settled();
  t.match(await oldestFirst(bench), [
    {
      status: 'timeout',
      message: 'ended at its timeout of 2 h; it did not react within 5 s and may still be going on',
    },
  ]);
  t.ok((await bench.rules.get(1)).cancelled);
  deaf.open();
});

t.test('what a run that was given up as lost does at its end is not recorded', async (t) => {
  const bench = await openBench(t);
  const paused = gate();
  bench.add('long', () => paused.promise, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  t.match(await bench.ends.giveUpLost(), [{ id: 1 }], 'its worker is not among the living');
  paused.open();
  await bench.tasks.settled();
  t.match(await oldestFirst(bench), [{ status: 'lost', message: /^worker w1 ended meanwhile/ }]);
  t.ok(
    bench.records.some((record) =>
      record.startsWith('WARNING tasks: job 1 is done, but was marked as lost before'),
    ),
  );
  t.same(await reasons(bench), ['started', 'lost job 1: worker w1 ended meanwhile: the reason is unknown']);
  t.notOk((await bench.rules.get(1)).cancelled, 'the rule goes on');
});

t.test('the runs of a living worker are not given up', async (t) => {
  const bench = await openBench(t);
  await bench.join();
  const long = gate();
  bench.add('long', () => long.promise, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  t.same(await bench.ends.giveUpLost(), []);
  long.open();
  await bench.tasks.settled();
});

t.test('what hangs after its timeout keeps its place, and its rule does not run beside it', async (t) => {
  const bench = await openBench(t, { maxJobs: 2 });
  const deaf = gate();
  let runs = 0;
  const hang = () => {
    runs++;
    return deaf.promise;
  };
  bench.add('deaf', hang, { ...every10, timeoutSeconds: 1, onFailure: 'continue' });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  bench.clock.advance(1000);
  bench.clock.advance(settleMs);
  await bench.tasks.settled();
  for (let i = 0; i < 3; i++) {
    bench.clock.advance(10_000);
    await bench.tasks.run();
  }
  t.equal(runs, 1);
  t.match(await reasons(bench), ['started', /^skipped job 1 was still running/, /^skipped/, /^skipped/]);
  deaf.open();
  await turns();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.equal(runs, 2, 'when it has ended, the rule goes on');
});

t.test('whatever a procedure throws makes a failed job', async (t) => {
  const bench = await openBench(t);
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const ownCause = new Error('mine');
  ownCause.cause = ownCause;
  const thrown = [circular, 5n, ownCause, Object.create(null), undefined, 'text'];
  for (const [i, value] of thrown.entries()) bench.add(`p${i}`, () => Promise.reject(value), every10);
  bench.add(
    'sync',
    () => {
      throw circular;
    },
    every10,
  );
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  const jobs = await oldestFirst(bench);
  t.same(
    jobs.map((job) => job.status),
    Array(thrown.length + 1).fill('failed'),
  );
  t.match(
    jobs.map((job) => job.message),
    [
      /^threw <ref \*1> \{ self/,
      'threw 5n',
      /^<ref \*1> Error: mine/,
      /^threw \[Object: null/,
      'threw undefined',
      "threw 'text'",
      /^threw/,
    ],
  );
});

t.test("what a procedure does with its connection does not stop the worker's", async (t) => {
  const bench = await openBench(t);
  bench.add(
    'tangled',
    async (ar: BaseRequest) => {
      // Waits for a connection that its own transactions hold.
      const tangle = async (depth: number): Promise<unknown> =>
        depth === 0 ? undefined : await ar.db.transaction().execute(() => tangle(depth - 1));
      await tangle(3);
    },
    { ...every10, timeoutSeconds: 1 },
  );
  let runs = 0;
  bench.add('tick', () => runs++, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await until('the other has run', () => runs === 1);
  bench.clock.advance(1000);
  bench.clock.advance(settleMs);
  await bench.tasks.settled();
  t.match(await bench.jobs.list({ ruleId: 2 }), [{ status: 'done' }]);
  t.match(await bench.jobs.list({ ruleId: 1 }), [{ status: 'timeout' }]);
});

t.test('a worker that stops does not wait for ever for a database that is away', async (t) => {
  const bench = await openBench(t);
  bench.add(
    'long',
    (ar: BaseRequest) => new Promise<void>((resolve) => ar.signal.addEventListener('abort', () => resolve())),
    every10,
  );
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.store.close();
  bench.tasks.abortAll('interrupted by a restart');
  await bench.tasks.settled();
  t.match(bench.records.at(-1), /^ERROR tasks: cannot write that job 1 is lost/);
});
