// Runs that somebody asks for, and what becomes of the requests.

import t from 'tap';
import type { BaseRequest } from '../../../src/rules/base-request.js';
import { gate } from '../../support/gate.js';
import { noon, openBench } from '../../support/site.js';
import { every10, nothing, oldestFirst, openRequests, reasons } from '../../support/tasks.js';

t.test('a requested run is done at once, by whom is known, and the next due time stays', async (t) => {
  const bench = await openBench(t);
  const users: Array<string | null> = [];
  bench.add('report', (ar: BaseRequest) => users.push(ar.user), { startDatetime: 'T20:00:00' });
  await bench.tasks.setup();
  const request = await bench.requests.add(1, 'run', 'robin');
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(users, ['robin']);
  t.match(await oldestFirst(bench), [{ status: 'done', dueAt: null, requestId: request }]);
  t.same(await reasons(bench), [`requested by robin, request ${request}`]);
  t.same((await bench.rules.get(1)).nextDueAt, new Date(noon + 8 * 3_600_000));
});

t.test('a run that is requested during a run waits for its end, and is not forgotten', async (t) => {
  const bench = await openBench(t);
  const first = gate();
  let runs = 0;
  bench.add('long', () => (++runs === 1 ? first.promise : undefined), { ...every10, overlap: 'queue-one' });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.requests.add(1, 'run', 'robin');
  await bench.tasks.run();
  t.equal(runs, 1);
  first.open();
  await bench.tasks.settled();
  await bench.tasks.run();
  await bench.tasks.settled();
  t.equal(runs, 2);
  t.same(await openRequests(bench), []);
});

t.test('what is asked for and due in the same moment runs once, however short its run', async (t) => {
  const bench = await openBench(t);
  let runs = 0;
  bench.add('short', () => runs++, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.requests.add(1, 'run', 'robin');
  await bench.tasks.run();
  await bench.tasks.settled();
  t.equal(runs, 1);
  t.same(await reasons(bench), [
    'requested by robin, request 1',
    'skipped job 1 was still running, for 0 ms',
  ]);
});

t.test('a person can run a cancelled rule once', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, every10);
  await bench.tasks.setup();
  await bench.tasks.cancel(await bench.rules.get(1));
  await bench.requests.add(1, 'run', 'robin');
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await oldestFirst(bench), [{ status: 'done' }]);
  t.ok((await bench.rules.get(1)).cancelled);
});

t.test('to stop a run withdraws the requests that wait behind it', async (t) => {
  const bench = await openBench(t);
  let runs = 0;
  bench.add(
    'long',
    (ar: BaseRequest) => {
      runs++;
      return new Promise<void>((resolve) => ar.signal.addEventListener('abort', () => resolve()));
    },
    { everyUnit: 'daily' },
  );
  await bench.tasks.setup();
  await bench.requests.add(1, 'run', 'robin');
  await bench.tasks.run();
  const waiting = await bench.requests.add(1, 'run', 'kim');
  await bench.requests.add(1, 'cancel', 'robin');
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.tasks.run();
  t.equal(runs, 1);
  t.match(
    await bench.store.db.selectFrom('job_requests').selectAll().where('id', '=', waiting).executeTakeFirst(),
    {
      outcome: 'withdrawn by robin',
    },
  );
});

t.test('a rule without its procedure refuses to be run', async (t) => {
  const bench = await openBench(t);
  bench.add('gone', nothing, every10);
  await bench.tasks.setup();
  await bench.rules.sync([]);
  await t.rejects(bench.requests.add(1, 'run', 'robin'), {
    code: 'LINOD_ERR_USAGE',
    message: 'job rule 1 cannot run: no procedure gone is registered',
  });
});
