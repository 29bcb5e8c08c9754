import t from 'tap';
import { Procedure } from '../../../src/procedure.js';
import { settleMs } from '../../../src/runs/stop.js';
import type { Job } from '../../../src/tasks/job.js';
import type { BaseRequest } from '../../../src/tasks/request.js';
import { aheadMs } from '../../../src/tasks/tasks.js';
import { ruleStory } from '../../../src/why/rule-story.js';
import { gate } from '../../support/gate.js';
import { type Bench, noon, openBench } from '../../support/site.js';
import { turns, until } from '../../support/until.js';

const everySecond = { every: 1, everyUnit: 'secondly' } as const;
const every10 = { every: 10, everyUnit: 'secondly' } as const;
const nothing = () => undefined;

async function reasons(bench: Bench, ruleId = 1): Promise<string[]> {
  const rows = await bench.store.db
    .selectFrom('decisions')
    .selectAll()
    .where('rule_id', '=', ruleId)
    .orderBy('id')
    .execute();
  return rows.map((row) => (row.detail === '' ? row.reason : `${row.reason} ${row.detail}`));
}

async function openRequests(bench: Bench): Promise<unknown[]> {
  return await bench.store.db
    .selectFrom('job_requests')
    .selectAll()
    .where('handled_at', 'is', null)
    .execute();
}

async function oldestFirst(bench: Bench): Promise<Job[]> {
  return (await bench.jobs.list({ limit: 1000 })).reverse();
}

t.test('setup makes a rule for each procedure, in order, first due after now', async (t) => {
  const bench = await openBench(t);
  bench.add('first', nothing, every10);
  bench.add('second', nothing, { startDatetime: 'T20:00:00' });
  t.match(await bench.tasks.setup(), { created: ['first', 'second'], removed: [] });
  t.same(await bench.tasks.status(), [
    'Job rule #1 <Procedures.first every 10 secondly> next run at: 2026-11-24T12:00:10+00:00',
    'Job rule #2 <Procedures.second every 1 daily> next run at: 2026-11-24T20:00:00+00:00',
  ]);
  t.match(await bench.tasks.setup(), { created: [], changed: [] }, 'a second setup changes nothing');
});

t.test('run starts what is due and says when to call it again', async (t) => {
  const bench = await openBench(t);
  const seen: number[] = [];
  bench.add('tick', (ar: BaseRequest) => seen.push(ar.now().getTime()), every10);
  await bench.tasks.setup();
  t.same(await bench.tasks.run(), new Date(noon + 10_000 - aheadMs), 'nothing is due at first');
  bench.clock.advance(10_000);
  t.same(await bench.tasks.run(), new Date(noon + 20_000 - aheadMs));
  await bench.tasks.settled();
  t.same(seen, [noon + 10_000]);
  t.match(await oldestFirst(bench), [
    {
      id: 1,
      ruleId: 1,
      status: 'done',
      dueAt: new Date(noon + 10_000),
      startDatetime: new Date(noon + 10_000),
    },
  ]);
  t.same(await reasons(bench), ['started']);
});

t.test('with no rule at all run wants to be called again within a minute', async (t) => {
  const bench = await openBench(t);
  t.same(await bench.tasks.run(), new Date(noon + 60_000));
});

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

t.test("a rule's level decides what its jobs keep", async (t) => {
  const bench = await openBench(t);
  const talk = (ar: BaseRequest) => {
    for (const say of ['debug', 'info', 'warning'] as const) ar[say](say);
  };
  bench.add('quiet', talk, { ...every10, logLevel: 'WARNING' });
  bench.add('chatty', talk, { ...every10, logLevel: 'DEBUG' });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(
    (await bench.jobs.lines(1)).map((line) => line.text),
    ['warning'],
  );
  t.same(
    (await bench.jobs.lines(2)).map((line) => line.text),
    ['debug', 'info', 'warning'],
  );
  t.notOk(bench.records.includes('DEBUG procedures.chatty: debug'), "lino.log goes by the site's level");
});

t.test('setup reactivates what failed, and leaves what a person cancelled', async (t) => {
  const bench = await openBench(t);
  bench.add('stumble', () => Promise.reject(new Error('no')), every10);
  bench.add('unwanted', nothing, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.tasks.cancel(await bench.rules.get(2));
  t.match(await bench.tasks.setup(), { reactivated: ['stumble'] });
  t.same(await bench.tasks.status(), [
    'Job rule #1 <Procedures.stumble every 10 secondly> next run at: 2026-11-24T12:00:20+00:00',
    'Job rule #2 <Procedures.unwanted every 10 secondly> cancelled at 2026-11-24T12:00:10+00:00, by w1; resume it with `linod rule 2 resume`',
  ]);
});

t.test(
  'the rule of a vanished procedure is kept and never runs; when the procedure returns, so does the rule',
  async (t) => {
    const bench = await openBench(t);
    bench.add('here', nothing, every10);
    await bench.tasks.setup();
    bench.clock.advance(10_000);
    await bench.tasks.run();
    await bench.tasks.settled();
    t.match(await bench.rules.sync([]), { removed: ['here'] });
    bench.clock.advance(60_000);
    await bench.tasks.run();
    t.same(await bench.tasks.status(), [], 'it is no task any more');
    t.equal((await bench.rules.list({ removed: true })).length, 1);
    t.equal((await bench.jobs.list({ ruleId: 1 })).length, 1, 'its history is kept');
    t.match(await bench.tasks.setup(), { restored: ['here'] });
    t.same(await bench.tasks.status(), [
      'Job rule #1 <Procedures.here every 10 secondly> next run at: 2026-11-24T12:01:20+00:00',
    ]);
  },
);

t.test('a new suggestion changes what nobody overrode, and never runs the rule at once', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { startDatetime: 'T20:00:00' });
  await bench.tasks.setup();
  await bench.rules.edit(1, { every: 3 });
  bench.add('report', nothing, { every: 2, everyUnit: 'hourly', startDatetime: '2026-11-24T00:00:00' });
  t.match(await bench.tasks.setup(), { changed: ['report'] });
  const rule = await bench.rules.get(1);
  t.equal(String(rule), 'Job rule #1 <Procedures.report every 3 hourly>');
  t.same(rule.nextDueAt, new Date(noon + 3 * 3_600_000));
  await bench.rules.edit(1, { every: null });
  t.equal(
    String(await bench.rules.get(1)),
    'Job rule #1 <Procedures.report every 2 hourly>',
    'null takes it back',
  );
});

t.test('a suggestion that does not fit an override cancels that rule and no other', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { everyUnit: 'monthly', weekdays: ['friday'] });
  bench.add('other', nothing, every10);
  await bench.tasks.setup();
  await bench.rules.edit(1, { positions: [1] });
  bench.add('report', nothing, { everyUnit: 'daily' });
  await bench.tasks.setup();
  t.match(await bench.rules.get(1), { cancelledReason: /^failed: .*positions/ });
  t.match(await bench.rules.get(2), { cancelledReason: null });
});

t.test('an edit never fires a rule, and a wrong one changes nothing', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { startDatetime: 'T20:00:00' });
  await bench.tasks.setup();
  await t.rejects(bench.rules.edit(1, { everyUnit: 'dayly' }), { code: 'LINOD_ERR_INVALID_RECURRENCE' });
  await t.rejects(bench.rules.edit(1, { weekday: ['monday'] } as object), {
    code: 'LINOD_ERR_USAGE',
    message: 'a job rule has no field "weekday", did you mean "weekdays"?',
  });
  await t.rejects(bench.rules.edit(1, { logLevel: 'LOUD' }), { code: 'LINOD_ERR_UNKNOWN_LEVEL' });
  await t.rejects(bench.rules.edit(1, { timeoutSeconds: -1 }), { code: 'LINOD_ERR_USAGE' });
  await t.rejects(bench.rules.edit(7, { every: 2 }), { message: 'no job rule 7; there are 1' });
  t.equal(String(await bench.rules.get(1)), 'Job rule #1 <Procedures.report every 1 daily>');
  await bench.rules.edit(1, { startDatetime: '2020-01-01T08:00:00' });
  await bench.tasks.run();
  t.same(await oldestFirst(bench), []);
  t.same((await bench.rules.get(1)).nextDueAt, new Date(noon + 20 * 3_600_000));
});

t.test('rules run side by side, and one that hangs delays no other', async (t) => {
  const bench = await openBench(t);
  const hanging = gate();
  bench.add('hang', () => hanging.promise, every10);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  for (let i = 0; i < 3; i++) {
    bench.clock.advance(10_000);
    await bench.tasks.run();
    await until(
      'the job is done',
      async () => (await bench.jobs.list({ ruleId: 2, status: 'done' })).length === i + 1,
    );
  }
  t.same(await reasons(bench, 1), [
    'started',
    'skipped job 1 was still running, for 10 s',
    'skipped job 1 was still running, for 20 s',
  ]);
  t.match(await bench.tasks.status(), [
    'Job rule #1 <Procedures.hang every 10 secondly> running since 2026-11-24T12:00:10+00:00 (job 1), next run at: 2026-11-24T12:00:40+00:00',
    /next run at/,
  ]);
  hanging.open();
  await bench.tasks.settled();
});

t.test('no more jobs run than there are places; who waited for one is late and says why', async (t) => {
  const bench = await openBench(t, { maxJobs: 2 });
  const gates = [gate(), gate(), gate()];
  for (const [i, { promise }] of gates.entries())
    bench.add(`job${i}`, () => promise, { every: 1, everyUnit: 'hourly' });
  await bench.tasks.setup();
  bench.clock.advance(3_600_000);
  await bench.tasks.run();
  t.equal(bench.tasks.running.length, 2);
  bench.clock.advance(60_000);
  t.same(
    await bench.tasks.run(),
    new Date(bench.clock.now() + 1000),
    'there is nothing to do until a run ends',
  );
  t.equal(bench.tasks.running.length, 2);
  gates[0]?.open();
  await until('a run has ended', () => bench.tasks.running.length === 1);
  await bench.tasks.run();
  t.same(await reasons(bench, 3), ['late by 1 min: all places for jobs were taken']);
  for (const { open } of gates) open();
  await bench.tasks.settled();
});

t.test(
  'due times that passed while no worker ran are made up for by one run, and the ledger counts the rest',
  async (t) => {
    const bench = await openBench(t);
    bench.add('tick', nothing, every10);
    await bench.tasks.setup();
    bench.clock.advance(3_600_000);
    const later = await openBench(t, { store: bench.store, clock: bench.clock });
    later.add('tick', nothing, every10);
    t.same(await later.tasks.run(), new Date(noon + 3_610_000 - aheadMs));
    await later.tasks.settled();
    t.match(await oldestFirst(later), [{ dueAt: new Date(noon + 10_000), status: 'done' }]);
    t.same(await reasons(later), [
      'late by 59 min 50 s: no worker ran the rules then',
      'dropped 359 further due times passed meanwhile',
    ]);
  },
);

t.test('a rule of every second that was off for a year is made up for at once', async (t) => {
  const bench = await openBench(t);
  bench.add('tick', nothing, everySecond);
  await bench.tasks.setup();
  bench.clock.advance(365 * 86_400_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.equal((await oldestFirst(bench)).length, 1);
  t.match(await reasons(bench), [
    /^late by 364 d 23 h/,
    'dropped 1000 or more further due times passed meanwhile',
  ]);
});

t.test('two workers run one due time once', async (t) => {
  const first = await openBench(t, { workerId: 'w1' });
  const second = await openBench(t, { workerId: 'w2', store: first.store, clock: first.clock });
  let runs = 0;
  for (const bench of [first, second])
    for (let i = 0; i < 20; i++) bench.add(`p${i}`, () => void runs++, every10);
  await first.tasks.setup();
  for (let i = 1; i <= 5; i++) {
    first.clock.advance(10_000);
    await Promise.all([first.tasks.run(), second.tasks.run()]);
    await Promise.all([first.tasks.settled(), second.tasks.settled()]);
    t.equal(runs, i * 10 * 2, `after ${i} due times`);
  }
  const jobs = await first.jobs.list({ limit: 1000 });
  t.equal(new Set(jobs.map((job) => `${job.ruleId} ${job.dueAt?.getTime()}`)).size, 100);
});

t.test('a clock that is set back runs no due time again', async (t) => {
  const bench = await openBench(t);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.store.db
    .updateTable('job_rules')
    .set({ next_due_at: noon + 10_000 })
    .execute();
  await bench.tasks.run();
  await bench.tasks.settled();
  t.equal((await oldestFirst(bench)).length, 1);
  t.match((await reasons(bench)).at(-1), 'taken run before, as job 1 of worker w1');
});

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
      message: 'ended at its time-out of 2 h; it did not react within 5 s and may still be going on',
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
  t.match(await oldestFirst(bench), [{ status: 'lost', message: /^lost: worker w1 ended meanwhile/ }]);
  t.ok(bench.records.some((record) => record.startsWith('WARNING tasks: job 1 had been given up as lost')));
  t.same(await reasons(bench), ['started', 'lost job 1: worker w1 ended meanwhile: nothing is known of it']);
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

t.test('progress is kept with the job', async (t) => {
  const bench = await openBench(t);
  bench.add('steps', (ar: BaseRequest) => ar.progress(3, 12, 'rows'), every10);
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await oldestFirst(bench), [{ progress: { done: 3, total: 12, text: 'rows' } }]);
});

t.test('a job keeps a bounded number of lines and says so', async (t) => {
  const bench = await openBench(t);
  bench.add(
    'babble',
    (ar: BaseRequest) => {
      for (let i = 0; i < 10_100; i++) ar.info(`line ${i}`);
    },
    every10,
  );
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  const lines = await bench.jobs.lines(1);
  t.equal(lines.length, 10_001);
  t.equal(lines.at(-1)?.text, 'more than 10000 lines: the rest is only in lino.log');
  t.equal(bench.records.filter((record) => record.includes('line ')).length, 10_100);
});

t.test('one procedure can have several rules', async (t) => {
  const bench = await openBench(t);
  const report = bench.add('report', nothing, every10);
  await bench.tasks.setup();
  const second = await bench.tasks.createRule(report, 'report of the night');
  t.match(second, { id: 2, seqno: 2, name: 'report of the night' });
  t.match(await bench.tasks.setup(), { created: [] });
});

t.test('a rule whose recurrence has ended never runs again and says so', async (t) => {
  const bench = await openBench(t);
  bench.add('once', nothing, { ...every10, count: 1, startDatetime: '2026-11-24T12:00:05' });
  await bench.tasks.setup();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(await bench.tasks.status(), [
    'Job rule #1 <Procedures.once every 10 secondly> never runs again: its recurrence has ended',
  ]);
});

t.test('a procedure behaves as a choice of the original', async (t) => {
  const procedure = new Procedure('tick', nothing, every10, 'test');
  t.match(procedure, { value: 'tick', name: 'tick', text: 'tick', every: 10, everyUnit: 'secondly' });
});

t.test('what hangs after its time-out keeps its place, and its rule does not run beside it', async (t) => {
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

t.test(
  'during a deployment a worker leaves the rules of procedures that it does not have to the others',
  async (t) => {
    const old = await openBench(t, { workerId: 'old' });
    const fresh = await openBench(t, { workerId: 'new', store: old.store, clock: old.clock });
    fresh.add('added', nothing, every10);
    await fresh.tasks.setup();
    old.clock.advance(10_000);
    t.same(await old.tasks.run(), new Date(old.clock.now() + 60_000), 'the old one has nothing to do');
    await old.requests.add(1, 'run', 'robin');
    await old.tasks.run();
    t.same(await oldestFirst(old), []);
    await fresh.tasks.run();
    await fresh.tasks.settled();
    t.match(await oldestFirst(old), [{ workerId: 'new', status: 'done' }]);
  },
);

t.test(
  'a new version of a procedure changes level, policy and time-out of rules that do not override them',
  async (t) => {
    const bench = await openBench(t);
    bench.add('report', nothing, every10);
    await bench.tasks.setup();
    await bench.rules.edit(1, { onFailure: 'continue' });
    bench.add('report', nothing, { ...every10, logLevel: 'DEBUG', onFailure: 'cancel', timeoutSeconds: 5 });
    t.match(await bench.tasks.setup(), { changed: ['report'] });
    t.match(await bench.rules.get(1), {
      logLevel: 'DEBUG',
      policies: { onFailure: 'continue', timeoutSeconds: 5 },
    });
    await bench.rules.edit(1, { onFailure: null });
    t.equal((await bench.rules.get(1)).policies.onFailure, 'cancel');
  },
);

t.test('an override can say that there is none', async (t) => {
  const bench = await openBench(t);
  const until = '2026-11-24T12:00:15';
  bench.add('report', nothing, {
    ...every10,
    weekdays: ['tuesday'],
    until,
    count: 1,
    startDatetime: '2026-11-24T12:00:00',
  });
  await bench.tasks.setup();
  await bench.rules.edit(1, { weekdays: [], until: '', count: 0 });
  t.match(await bench.rules.get(1), { until: null, count: null });
  t.same((await bench.rules.get(1)).dueAfter(new Date(noon + 86_400_000)), new Date(noon + 86_410_000));
  await bench.rules.edit(1, { weekdays: null, until: null, count: null });
  t.match(await bench.rules.get(1), { until, count: 1 });
});

t.test('a person says when in words, in cron or as RRULE text, and takes all of it back', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, {
    startDatetime: 'T20:00:00',
    weekdays: ['monday'],
    until: '2030-01-01T00:00:00',
  });
  await bench.tasks.setup();
  const { fields } = (await bench.rules.get(1)).recurrence;
  const when = async (text: string | null) => (await bench.rules.edit(1, { when: text })).recurrence.fields;
  t.match(await when('every 2 weeks on mon, fri at 10:00'), {
    everyUnit: 'weekly',
    every: 2,
    weekdays: ['monday', 'friday'],
    start: '2026-11-24T10:00:00',
    until: null,
    timezone: 'UTC',
  });
  t.same((await bench.rules.get(1)).nextDueAt, new Date('2026-11-27T10:00:00Z'));
  t.match(await when('0 4 * * mon-fri'), {
    everyUnit: 'cron',
    every: 1,
    weekdays: [],
    cron: '0 4 * * mon-fri',
  });
  t.equal(String(await bench.rules.get(1)), 'Job rule #1 <Procedures.report cron 0 4 * * mon-fri>');
  t.match(await when('2 days before Easter at 9 in Europe/Tallinn'), {
    everyUnit: 'easterly',
    cron: null,
    start: '2027-03-26T09:00:00',
    timezone: 'Europe/Tallinn',
  });
  t.match(await when('DTSTART:20261201T100000Z RRULE:FREQ=DAILY;COUNT=3'), { count: 3, timezone: 'UTC' });
  await t.rejects(when('every 2 weks'), { code: 'LINOD_ERR_NOTATION', message: /did you mean "weeks"/ });
  t.same(await when(null), fields);
});

t.test('a rule all of whose times are excluded says so, and not that it has ended', async (t) => {
  const bench = await openBench(t);
  bench.add('never', nothing, { ...every10, excluded: ['mon-sun'] });
  await bench.tasks.setup();
  const [line] = await bench.tasks.status();
  t.equal(
    line,
    'Job rule #1 <Procedures.never every 10 secondly> never runs: all of its times are excluded (mon-sun)',
  );
  const { outlook } = await ruleStory(bench, 1, { now: new Date(noon) });
  t.match(outlook.hindrances[0], {
    code: 'excluded',
    sentence: /^all of its times are excluded \(mon-sun\): /,
  });
});

t.test('so many times are so many that are still to come, whoever says so', async (t) => {
  const bench = await openBench(t);
  // All of them have a time today that has passed, since it is noon.
  bench.add('asked', nothing, {});
  bench.add('daily', nothing, { everyUnit: 'daily', every: 1, startDatetime: 'T06:00:00', count: 7 });
  bench.add('elapsed', nothing, { ...every10, count: 2 });
  bench.add('quarters', nothing, { everyUnit: 'minutely', every: 15, startDatetime: 'T00:00:00', count: 3 });
  bench.clock.setTo(noon + 60_500);
  await bench.tasks.setup();
  const dues = async (id: number) =>
    (await bench.rules.get(id)).dueTimes
      .timetable(new Date(bench.clock.now()), 10)
      .map(({ at }) => at?.toISOString().slice(5, 19));
  t.same((await dues(2)).length, 7);
  t.equal((await dues(2))[0], '11-25T06:00:00');
  t.same(await dues(3), ['11-24T12:01:10', '11-24T12:01:20']);
  t.same(await dues(4), ['11-24T12:15:00', '11-24T12:30:00', '11-24T12:45:00']);
  await bench.rules.edit(1, { when: 'every 15 minutes 2 times' });
  t.same(await dues(1), ['11-24T12:15:00', '11-24T12:30:00']);
  await bench.rules.edit(1, { when: 'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR;COUNT=2' });
  t.same(await dues(1), ['11-27T00:00:00', '12-08T00:00:00']);
  await bench.rules.edit(1, { when: 'daily at 10:00 2 times' });
  t.same(await dues(1), ['11-25T10:00:00', '11-26T10:00:00']);
  // A day that is named is where it begins, and what has passed of it counts.
  await bench.rules.edit(1, { when: 'daily from 2026-11-23 at 10:00 4 times' });
  t.same(await dues(1), ['11-25T10:00:00', '11-26T10:00:00']);
});

t.test('a rule has its own choices at clock changes', async (t) => {
  const bench = await openBench(t);
  const suggested = { startDatetime: '2026-01-01T02:30:00', timezone: 'Europe/Brussels' };
  bench.add('report', nothing, { ...suggested, missingTime: 'at-jump' });
  await bench.tasks.setup();
  const spring = new Date('2027-03-27T12:00:00Z');
  const due = async () => (await bench.rules.get(1)).dueAfter(spring)?.toISOString();
  t.equal(await due(), '2027-03-28T01:00:00.000Z', 'as the procedure suggests');
  await bench.rules.edit(1, { missingTime: 'skipped', repeatedTime: 'both' });
  t.equal(await due(), '2027-03-29T00:30:00.000Z', 'as a person overrides');
  t.match((await bench.rules.get(1)).recurrence.fields, { missingTime: 'skipped', repeatedTime: 'both' });
  await t.rejects(bench.rules.edit(1, { missingTime: 'lost' }), {
    code: 'LINOD_ERR_INVALID_RECURRENCE',
    message: 'expected missingTime to be one of shifted, skipped, at-jump, got: "lost"',
  });
  await bench.rules.edit(1, { missingTime: null });
  t.equal(await due(), '2027-03-28T01:00:00.000Z', 'and taken back');
});

t.test('cron is a field of its own, which decides while everyUnit is cron', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { every: 3, weekdays: ['monday'], startDatetime: 'T20:00:00' });
  bench.add('other', nothing, { cron: '0 5 * * *' });
  await bench.tasks.setup();
  t.match((await bench.rules.edit(1, { cron: '0 4 * * *' })).recurrence.fields, {
    everyUnit: 'cron',
    every: 1,
    weekdays: [],
  });
  const hourly = await bench.rules.edit(1, { everyUnit: 'hourly' });
  t.match(hourly.recurrence.fields, { everyUnit: 'hourly', every: 3, weekdays: ['monday'], cron: null });
  t.match((await bench.rules.edit(1, { cron: null })).recurrence.fields, { everyUnit: 'daily', cron: null });
  await t.rejects(bench.rules.edit(1, { cron: '0 4 * *' }), { code: 'LINOD_ERR_NOTATION' });

  t.match((await bench.rules.get(2)).recurrence.fields, { everyUnit: 'cron', cron: '0 5 * * *' });
  t.match((await bench.rules.edit(2, { everyUnit: 'daily' })).recurrence.fields, {
    everyUnit: 'daily',
    cron: null,
  });
});

t.test(
  'what an older version wrote of a suggestion is no change, so that a late rule stays due',
  async (t) => {
    const bench = await openBench(t);
    bench.add('report', nothing, every10);
    await bench.tasks.setup();
    const { suggestion } = await bench.store.db
      .selectFrom('job_rules')
      .select('suggestion')
      .executeTakeFirstOrThrow();
    const { cron, missingTime, repeatedTime, ...older } = JSON.parse(suggestion) as Record<string, unknown>;
    t.same([cron, missingTime, repeatedTime], [null, null, null]);
    await bench.store.db
      .updateTable('job_rules')
      .set({ suggestion: JSON.stringify(older) })
      .execute();
    bench.clock.advance(60_000);
    t.match(await bench.tasks.setup(), { changed: [] });
    t.same((await bench.rules.get(1)).nextDueAt, new Date(noon + 10_000));
  },
);

t.test('when the clock is set back, rules are due at the new time, and the ledger says so', async (t) => {
  const bench = await openBench(t);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  bench.clock.advance(86_400_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  bench.clock.setTo(noon);
  t.same(await bench.tasks.run(), new Date(noon + 10_000 - aheadMs));
  t.match((await reasons(bench)).slice(2), [
    'moved from 2026-11-25T12:00:10+00:00 to 2026-11-24T12:00:10+00:00: the clock was set back by 1 d',
  ]);
});

t.test('one rule that cannot be read stops no other', async (t) => {
  const bench = await openBench(t);
  bench.add('broken', nothing, every10);
  bench.add('tick', nothing, every10);
  await bench.tasks.setup();
  await bench.store.db.updateTable('job_rules').set({ timezone: 'Mars/X' }).where('id', '=', 1).execute();
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await oldestFirst(bench), [{ ruleId: 2, status: 'done' }]);
  t.match(
    await bench.store.db
      .selectFrom('job_rules')
      .select('cancelled_reason')
      .where('id', '=', 1)
      .executeTakeFirst(),
    {
      cancelled_reason: /^failed: .*Mars\/X/,
    },
  );
});

t.test('an edit of a cancelled rule is checked, too', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, every10);
  await bench.tasks.setup();
  await bench.tasks.cancel(await bench.rules.get(1));
  await t.rejects(bench.rules.edit(1, { every: -5 }), { code: 'LINOD_ERR_INVALID_RECURRENCE' });
  await t.rejects(bench.rules.edit(1, { timezone: 'Mars/X' }), { code: 'LINOD_ERR_INVALID_RECURRENCE' });
  for (const field of ['constructor', 'toString', '__proto__']) {
    await t.rejects(bench.rules.edit(1, Object.fromEntries([[field, 5]])), { code: 'LINOD_ERR_USAGE' });
  }
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
  bench.tasks.abortAll('the worker was stopped');
  await bench.tasks.settled();
  t.match(bench.records.at(-1), /^ERROR tasks: cannot write that job 1 is cancelled/);
});

t.test('an excluded day is skipped, and the ledger says so when the rule moves on over it', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { startDatetime: 'T20:00:00', excluded: ['wed', '2026-11-26'] });
  await bench.tasks.setup();
  bench.clock.advance(8 * 3_600_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(await reasons(bench), ['started', 'skipped excluded by wed', 'skipped excluded by 2026-11-26']);
  t.same((await bench.rules.get(1)).nextDueAt, new Date('2026-11-27T20:00:00Z'));
});

t.test(
  'what lies before the first due time of an edited rule is told, and what was told before is not any more',
  async (t) => {
    const bench = await openBench(t);
    bench.add('report', nothing, { startDatetime: 'T20:00:00' });
    await bench.tasks.setup();
    await bench.rules.edit(1, { excluded: ['tue', 'wed'] });
    t.match(await reasons(bench), ['skipped excluded by tue', 'skipped excluded by wed', /^edited/]);
    await bench.rules.edit(1, { excluded: ['tue'], onExcluded: 'postpone' });
    t.match(await reasons(bench), [
      /^edited/,
      'skipped excluded by tue; it is due at 2026-11-25T20:00:00+00:00 all the same',
      /^edited/,
    ]);
    await bench.rules.cancel(1);
    t.match(
      await reasons(bench),
      [/^edited/, /^edited/, 'cancelled by w1'],
      'nor of a rule that is not due at all',
    );
  },
);

t.test('jitter moves a rule to where the ledger says it is', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { startDatetime: 'T20:00:00', jitterSeconds: 600 });
  await bench.tasks.setup();
  const due = (await bench.rules.get(1)).nextDueAt?.getTime() ?? 0;
  const shift = due - Date.UTC(2026, 10, 24, 20);
  t.ok(shift > 0 && shift < 600_000, `${shift} ms`);
  bench.clock.setTo(due);
  await bench.tasks.run();
  await bench.tasks.settled();
  t.match(await reasons(bench), [/^started moved by \d+ (s|min).* of jitter$/]);
  t.same((await bench.rules.get(1)).nextDueAt, new Date(due + 86_400_000));
});

t.test('a rule that runs after another has no due times, whatever is excluded', async (t) => {
  const bench = await openBench(t);
  bench.add('first', nothing, every10);
  bench.add('second', nothing, { runAfter: 'first', excluded: ['tue'], jitterSeconds: 5 });
  await bench.tasks.setup();
  t.equal((await bench.rules.get(2)).dueAfter(new Date(noon)), null);
  bench.clock.advance(10_000);
  await bench.tasks.run();
  await bench.tasks.settled();
  await bench.tasks.run();
  await bench.tasks.settled();
  t.same(await reasons(bench, 2), ['started']);
});
