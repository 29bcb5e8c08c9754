// What a program does that asks for a run: the workers hear of it at once, and it hears what became of it.

import t from 'tap';
import { CancelJob, requestState } from '../../../src/actors/run-job.js';
import { type ActorContext, RunJob } from '../../../src/index.js';
import { openBench } from '../../support/site.js';

t.test(
  'who asks for a run wakes the workers, through a layer of their own or one opened for it',
  async (t) => {
    const bench = await openBench(t);
    const { site, store } = bench;
    await bench.join();
    bench.add('work', () => undefined, { everyUnit: 'yearly' });
    await bench.tasks.setup();
    const layer = await site.openLayer();
    t.teardown(() => layer.close());
    const worker = await layer.newChannel();
    await layer.groupAdd(site.workersGroup, worker);
    const contexts: ActorContext[] = [
      { site, store, user: 'ada' },
      { site, store, layer },
    ];
    for (const [i, context] of contexts.entries()) {
      t.strictSame(await RunJob.request(context, 1), { request: i + 1, isWorking: true, unwoken: null });
      t.strictSame(await layer.receive(worker), { type: 'rules.changed' });
    }
    const people = await store.db.selectFrom('job_requests').select('requested_by').orderBy('id').execute();
    t.strictSame(people, [{ requested_by: 'ada' }, { requested_by: 'somebody' }]);
  },
);

t.test('a request is kept though the layer is away, and without a worker, and both are told', async (t) => {
  const bench = await openBench(t);
  const { site, store } = bench;
  bench.add('work', () => undefined, { everyUnit: 'yearly' });
  await bench.tasks.setup();
  const layer = await site.openLayer();
  await layer.close();
  const context = { site, store, layer };
  t.strictSame(await RunJob.request(context, 1), { request: 1, isWorking: false, unwoken: null });
  await bench.join();
  const asked = await RunJob.request(context, 1);
  t.match(asked, { request: 2, isWorking: true });
  if (store.follow === null) t.match(asked.unwoken, /closed/);
  t.equal((await bench.requests.open(10)).length, 2);
  await t.rejects(RunJob.request(context, 9), { code: 'LINOD_ERR_UNKNOWN_RULE' });
});

t.test('who asked for a run gets its job when it has ended, or null if there is none', async (t) => {
  const bench = await openBench(t);
  const { site, store } = bench;
  await bench.join();
  let end = () => {};
  const gate = new Promise<void>((resolve) => {
    end = resolve;
  });
  bench.add('work', () => gate, { everyUnit: 'yearly' });
  bench.add('fails', () => Promise.reject(new Error('no paper')), { everyUnit: 'yearly' });
  await bench.tasks.setup();
  const context = { site, store };
  const work = await RunJob.request(context, 1);
  const fails = await RunJob.request(context, 2);
  await t.rejects(RunJob.ended(context, work.request, { signal: AbortSignal.abort() }), {
    name: 'AbortError',
  });
  await bench.tasks.run();
  t.match(await requestState(context, work.request), {
    isOver: false,
    outcome: 'run',
    job: { status: 'running' },
  });
  const skipped = await RunJob.request(context, 1);
  t.strictSame(await requestState(context, skipped.request), { isOver: false, outcome: null, job: null });
  await bench.tasks.run();
  t.match(await requestState(context, skipped.request), { isOver: true, outcome: /^skipped/, job: null });
  t.equal(await RunJob.ended(context, skipped.request), null);
  const failed = await RunJob.ended(context, fails.request);
  t.match(failed, { procedure: 'fails', status: 'failed', message: /no paper/ });
  const ended = RunJob.ended(context, work.request);
  end();
  t.match(await ended, { procedure: 'work', status: 'done' });
  t.match(await requestState(context, work.request), {
    isOver: true,
    outcome: 'run',
    job: { status: 'done' },
  });
  await t.rejects(requestState(context, 99), {
    code: 'LINOD_ERR_UNKNOWN_REQUEST',
    message: 'there is no request 99 for a run',
  });
  t.equal(await CancelJob.request(context, 1), null);
  await store.db.deleteFrom('jobs').execute();
  t.strictSame(
    await requestState(context, work.request),
    { isOver: true, outcome: 'run', job: null },
    'an old job is deleted, and nobody waits for it',
  );
  t.equal(await RunJob.ended(context, work.request), null);
});

t.test('a request is over when no further attempt follows, and the last attempt is its job', async (t) => {
  const bench = await openBench(t);
  await bench.join();
  const options = { everyUnit: 'yearly', onFailure: 'retry', retries: 1, retryDelaySeconds: 60 } as const;
  const flaky = (ar: { attempt: number }) =>
    ar.attempt === 1 ? Promise.reject(new Error('no paper')) : undefined;
  bench.add('flaky', flaky, options);
  await bench.tasks.setup();
  const { request } = await RunJob.request(bench, 1);
  let ended: unknown = null;
  const end = RunJob.ended(bench, request).then((job) => {
    ended = job;
  });
  await bench.tasks.run();
  await bench.tasks.settled();
  const waiting = { isOver: false, outcome: 'run', job: { attempt: 1, status: 'failed' } };
  t.match(await requestState(bench, request), waiting);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(ended, null, 'who waits goes on waiting');
  bench.clock.advance(70_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  await end;
  t.match(ended, { attempt: 2, status: 'done' });
  t.match(await requestState(bench, request), { isOver: true, outcome: 'run', job: { attempt: 2 } });

  const second = await RunJob.request(bench, 1);
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.rules.cancel(1);
  bench.clock.advance(70_000);
  await bench.tasks.run();
  const withdrawn = {
    isOver: true,
    outcome: /^withdrawn: the rule is not active/,
    job: { status: 'failed' },
  };
  t.match(await requestState(bench, second.request), withdrawn);
});
