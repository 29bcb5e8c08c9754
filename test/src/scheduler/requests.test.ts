// Requests for runs: which of them one run does for, and when each is taken up.

import t from 'tap';
import type { BaseRequest } from '../../../src/rules/base-request.js';
import { gate } from '../../support/gate.js';
import { type Bench, noon, openBench } from '../../support/site.js';
import { reasons } from '../../support/tasks.js';

const onRequest = { everyUnit: 'yearly', overlap: 'queue-one' } as const;

/** Runs what was asked for, and what can begin only then, until nothing is left. */
async function runAll(bench: Bench): Promise<void> {
  for (let open = -1; open !== 0; ) {
    await bench.tasks.run();
    await bench.tasks.settled();
    open = (await bench.requests.open(100)).length;
  }
}

async function outcomes(bench: Bench): Promise<(string | null)[]> {
  const rows = await bench.store.db.selectFrom('job_requests').select('outcome').orderBy('id').execute();
  return rows.map(({ outcome }) => outcome);
}

t.test('of requests for the same work one waits behind a run, and stands for the others', async (t) => {
  const bench = await openBench(t);
  const first = gate();
  const seen: unknown[] = [];
  bench.add('mail', (ar) => (seen.push(ar.args) === 1 ? first.promise : undefined), onRequest);
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'ann', { args: { to: 1 } });
  await bench.tasks.run();
  for (const who of ['bob', 'cleo', 'dan']) await bench.requests.add(1, 'run', who, { args: { to: 1 } });
  await bench.tasks.run();
  t.equal(seen.length, 1);
  first.open();
  await bench.tasks.settled();
  await runAll(bench);
  t.same(seen, [{ to: 1 }, { to: 1 }]);
  const merged = 'one with request 2, which waits for job 1';
  t.same(await outcomes(bench), ['run', 'run', merged, merged]);
});

t.test('requests with other arguments are other work: each is run, one after the other', async (t) => {
  const bench = await openBench(t);
  const first = gate();
  const seen: unknown[] = [];
  let running = 0;
  const mail = async (ar: BaseRequest) => {
    t.equal(++running, 1);
    if (seen.push(ar.args) === 1) await first.promise;
    running--;
  };
  bench.add('mail', mail, onRequest);
  await bench.tasks.setup();
  const wanted = [{ id: 1 }, { id: 1, express: true }, { id: 2 }, {}, undefined];
  await bench.requests.add(1, 'run', 'ann', { args: 'first' });
  await bench.tasks.run();
  for (const args of wanted) await bench.requests.add(1, 'run', 'ann', { args });
  await bench.tasks.run();
  first.open();
  await bench.tasks.settled();
  await runAll(bench);
  t.same(seen, ['first', ...wanted]);
  t.same(
    await outcomes(bench),
    Array.from({ length: 6 }, () => 'run'),
  );
});

t.test('requests for two rules of one procedure never stand for one another', async (t) => {
  const bench = await openBench(t);
  const first = gate();
  const seen: number[] = [];
  const mail = bench.add('mail', (ar) => (seen.push(ar.jobId) <= 2 ? first.promise : undefined), onRequest);
  await bench.tasks.setup();
  await bench.tasks.createRule(mail, 'another');
  for (let round = 0; round < 2; round++) {
    for (const rule of [1, 2]) await bench.requests.add(rule, 'run', 'ann', { args: 7 });
    await bench.tasks.run();
  }
  first.open();
  await bench.tasks.settled();
  await runAll(bench);
  t.same(
    (await bench.jobs.list()).map(({ ruleId }) => ruleId),
    [2, 1, 2, 1],
  );
});

t.test('what has run is no reason not to run again', async (t) => {
  const bench = await openBench(t);
  let runs = 0;
  bench.add('mail', () => runs++, onRequest);
  await bench.tasks.setup();
  for (let i = 1; i <= 3; i++) {
    await bench.requests.add(1, 'run', 'ann', { args: { to: 1 } });
    await runAll(bench);
    t.equal(runs, i);
  }
});

t.test('a request by a person does not stand for a further attempt, nor the other way round', async (t) => {
  const bench = await openBench(t);
  const second = gate();
  let runs = 0;
  const stumble = () => {
    if (++runs === 1) throw new Error('no stock');
    return runs === 2 ? second.promise : undefined;
  };
  bench.add('mail', stumble, { ...onRequest, onFailure: 'retry', retryDelaySeconds: 10 });
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'ann');
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.requests.add(1, 'run', 'ann');
  await bench.tasks.run();
  bench.clock.advance(20_000);
  await bench.requests.add(1, 'run', 'bob');
  await bench.tasks.run();
  second.open();
  await bench.tasks.settled();
  await runAll(bench);
  t.same(
    (await bench.jobs.list()).map(({ attempt, status }) => [attempt, status]),
    [
      [1, 'done'],
      [2, 'done'],
      [1, 'done'],
      [1, 'failed'],
    ],
  );
});

t.test(
  'a request for later is run at its time and not before; one for an earlier time at once',
  async (t) => {
    const bench = await openBench(t);
    const seen: unknown[] = [];
    bench.add('mail', (ar) => seen.push([ar.args, ar.now().getTime()]), onRequest);
    await bench.tasks.setup();
    await bench.requests.add(1, 'run', 'ann', { args: 'later', runAt: new Date(noon + 10_000) });
    await bench.requests.add(1, 'run', 'ann', { args: 'before', runAt: new Date(noon - 10_000) });
    t.ok((await bench.tasks.run()) <= new Date(noon + 10_000));
    await bench.tasks.settled();
    t.same(seen, [['before', noon]]);
    bench.clock.advance(9_999);
    await bench.tasks.run();
    await bench.tasks.settled();
    t.equal(seen.length, 1);
    bench.clock.advance(1);
    await bench.tasks.run();
    await bench.tasks.settled();
    t.same(seen.slice(1), [['later', noon + 10_000]]);
  },
);

t.test('arguments that JSON cannot say are refused, and nothing is asked for', async (t) => {
  const bench = await openBench(t);
  bench.add('mail', () => undefined, onRequest);
  await bench.tasks.setup();
  const code = 'LINOD_ERR_USAGE';
  await t.rejects(bench.requests.add(1, 'run', 'ann', { args: { size: 1n } }), { code, message: /args/ });
  t.same(await outcomes(bench), []);
});

t.test('that a request was withdrawn is told by the ledger and the log', async (t) => {
  const bench = await openBench(t);
  bench.add('mail', () => undefined, onRequest);
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'ann');
  await bench.requests.add(1, 'cancel', 'bob');
  await bench.tasks.run();
  t.same(await reasons(bench), ['skipped request 1: withdrawn by bob']);
  t.match(bench.records, ["INFO tasks: bob asked for the end of job rule 1's runs: nothing was running"]);
});

t.test(
  'what was asked for before a run began is not skipped for its sake, and what comes during it is',
  async (t) => {
    const bench = await openBench(t);
    const first = gate();
    const seen: unknown[] = [];
    bench.add('mail', (ar) => (seen.push(ar.args) === 1 ? first.promise : undefined), {
      everyUnit: 'yearly',
    });
    await bench.tasks.setup();
    // No worker takes them up.
    for (const n of [1, 2, 2]) await bench.requests.add(1, 'run', 'ann', { args: { n } });
    bench.clock.advance(1000);
    await bench.tasks.run();
    await bench.requests.add(1, 'run', 'ann', { args: { n: 3 } });
    await bench.tasks.run();
    t.equal(seen.length, 1);
    first.open();
    await bench.tasks.settled();
    await runAll(bench);
    t.same(seen, [{ n: 1 }, { n: 2 }]);
    const merged = /^one with request 2, which waits for /;
    t.match(await outcomes(bench), ['run', 'run', merged, 'skipped: job 1 was still running']);
  },
);
