import t from 'tap';
import { clearTooOldJobHistory } from '../../procedures/clear-too-old-job-history.js';
import { defaultRetention, setRetention } from '../../procedures/index.js';
import { dueTimeStory, type JobStatus, ruleStory } from '../../src/index.js';
import { summaryText } from '../../src/insight/why/entries.js';
import { openProcedureBench, type ProcedureBench } from '../support/request.js';

const dayMs = 86_400_000;

async function addRule({ store }: ProcedureBench, id: number): Promise<void> {
  const rule = await store.db
    .selectFrom('job_rules')
    .selectAll()
    .where('id', '=', 1)
    .executeTakeFirstOrThrow();
  await store.db
    .insertInto('job_rules')
    .values({ ...rule, id })
    .execute();
}

interface JobSketch {
  readonly status?: JobStatus;
  readonly ageDays: number;
  readonly ruleId?: number;
  readonly requestId?: number;
  readonly lines?: number;
}

async function addJob({ store, clock }: ProcedureBench, sketch: JobSketch): Promise<number> {
  const { status = 'done', ageDays, ruleId = 2, requestId = null, lines = 0 } = sketch;
  const { id } = await store.db
    .insertInto('jobs')
    .values({
      rule_id: ruleId,
      procedure: 'test',
      request_id: requestId,
      start_datetime: clock.now() - ageDays * dayMs,
      status,
      message: '',
      worker_id: 'w1',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  for (let i = 0; i < lines; i++) {
    await store.db
      .insertInto('job_lines')
      .values({ job_id: id, logged_at: 0, level: 'INFO', text: 'x' })
      .execute();
  }
  return id;
}

async function jobIds({ store }: ProcedureBench, ruleId = 2): Promise<number[]> {
  const rows = await store.db
    .selectFrom('jobs')
    .select('id')
    .where('rule_id', '=', ruleId)
    .orderBy('id')
    .execute();
  return rows.map((row) => row.id);
}

t.test(
  'old jobs are deleted with their lines; failed ones later, running ones and the newest never',
  async (t) => {
    const bench = await openProcedureBench(t);
    await addRule(bench, 2);
    await addRule(bench, 3);
    await addJob(bench, { ageDays: 400, status: 'failed' });
    const running = await addJob(bench, { ageDays: 400, status: 'running' });
    await addJob(bench, { ageDays: 40, lines: 3 });
    await addJob(bench, { ageDays: 40, status: 'cancelled' });
    const failed = await addJob(bench, { ageDays: 40, status: 'failed', lines: 2 });
    const lost = await addJob(bench, { ageDays: 40, status: 'lost' });
    const timeout = await addJob(bench, { ageDays: 40, status: 'timeout' });
    const recent = await addJob(bench, { ageDays: 29 });
    const newest = await addJob(bench, { ageDays: 1 });
    await addJob(bench, { ageDays: 500, ruleId: 3 });
    const lastOfYearly = await addJob(bench, { ageDays: 350, ruleId: 3 });

    const { lines } = await bench.run(clearTooOldJobHistory);
    t.same(await jobIds(bench), [running, failed, lost, timeout, recent, newest]);
    t.same(await jobIds(bench, 3), [lastOfYearly]);
    const left = await bench.store.db.selectFrom('job_lines').select('job_id').execute();
    t.same(left, [{ job_id: failed }, { job_id: failed }]);
    t.same(lines, ['INFO 4 jobs, 0 decisions and 0 requests deleted']);
    t.same((await bench.run(clearTooOldJobHistory)).lines, ['DEBUG nothing is too old']);
  },
);

t.test(
  'a rule that runs often keeps its newest jobs and decisions; failures have their own limit',
  async (t) => {
    t.teardown(() => setRetention(defaultRetention));
    setRetention({ jobsPerRule: 3, failedJobsPerRule: 2, decisionsPerRule: 4 });
    const bench = await openProcedureBench(t);
    await addRule(bench, 2);
    const failed: number[] = [];
    const done: number[] = [];
    for (let i = 0; i < 5; i++) failed.push(await addJob(bench, { ageDays: 0, status: 'failed' }));
    for (let i = 0; i < 130; i++) done.push(await addJob(bench, { ageDays: 0 }));
    for (let i = 0; i < 10; i++) {
      await bench.store.db
        .insertInto('decisions')
        .values({ rule_id: 2, decided_at: bench.clock.now(), worker_id: 'w1', reason: String(i), detail: '' })
        .execute();
    }
    const { lines } = await bench.run(clearTooOldJobHistory);
    t.same(await jobIds(bench), [...failed.slice(-2), ...done.slice(-3)]);
    const decisions = await bench.store.db.selectFrom('decisions').select('reason').orderBy('id').execute();
    t.same(
      decisions.map((row) => row.reason),
      ['6', '7', '8', '9'],
    );
    t.same(lines, ['INFO 130 jobs, 6 decisions and 0 requests deleted']);
  },
);

t.test('old decisions are deleted, whatever their number', async (t) => {
  const bench = await openProcedureBench(t);
  for (const days of [91, 89]) {
    const decided_at = bench.clock.now() - days * dayMs;
    await bench.store.db
      .insertInto('decisions')
      .values({ rule_id: 1, decided_at, worker_id: 'w1', reason: String(days), detail: '' })
      .execute();
  }
  await bench.run(clearTooOldJobHistory);
  const left = await bench.store.db.selectFrom('decisions').select('reason').execute();
  t.same(left, [{ reason: '89' }]);
});

t.test('deleted decisions are counted for each day and reason', async (t) => {
  t.teardown(() => setRetention(defaultRetention));
  setRetention({ decisionDays: 10, decisionSummaryDays: 100 });
  const bench = await openProcedureBench(t);
  await bench.store.db.updateTable('job_rules').set({ timezone: 'Pacific/Apia' }).execute();
  const midnight = Date.UTC(2026, 9, 1, 11);
  const decide = async (at: number, reason: string, detail = '', times = 1) =>
    await bench.store.db
      .insertInto('decisions')
      .values({ rule_id: 1, due_at: at, decided_at: at, worker_id: 'w1', reason, detail, times })
      .execute();
  for (let i = 0; i < 700; i++) await decide(midnight - 1000 - i, 'started');
  await decide(midnight - 5000, 'late', 'by 9 s: the worker was busy or asleep');
  await decide(midnight, 'dropped', '3 further due times passed meanwhile', 3);
  await decide(midnight + 1000, 'dropped', '2 further due times passed meanwhile', 2);
  await bench.run(clearTooOldJobHistory);
  const summaries = async () =>
    await bench.store.db
      .selectFrom('decision_summaries')
      .selectAll()
      .orderBy('day')
      .orderBy('reason')
      .execute();
  const day = (
    name: string,
    reason: string,
    times: number,
    first_at: number,
    last_at: number,
    last_detail: string,
  ) => ({
    rule_id: 1,
    day: name,
    reason,
    times,
    first_at,
    last_at,
    last_detail,
  });
  const late = day(
    '2026-10-01',
    'late',
    1,
    midnight - 5000,
    midnight - 5000,
    'by 9 s: the worker was busy or asleep',
  );
  const started = day('2026-10-01', 'started', 700, midnight - 1699, midnight - 1000, '');
  const dropped = day(
    '2026-10-02',
    'dropped',
    5,
    midnight,
    midnight + 1000,
    '2 further due times passed meanwhile',
  );
  t.same(await summaries(), [late, started, dropped]);

  await decide(midnight - 100_000, 'started', 'earlier');
  await bench.run(clearTooOldJobHistory);
  t.same(
    await summaries(),
    [late, { ...started, times: 701, first_at: midnight - 100_000 }, dropped],
    'it is added',
  );
  const { summaries: days } = await ruleStory(bench, 1, { now: new Date(bench.clock.now()) });
  t.same(days.map(summaryText), [
    '701 started, 1 late (by 9 s: the worker was busy or asleep)',
    '5 dropped (the last: 2 further due times passed meanwhile)',
  ]);
  const { sentences } = await dueTimeStory(bench, 1, new Date(midnight), new Date(bench.clock.now()));
  t.match(sentences.at(-1), 'only a summary of that day is left: 5 dropped');

  setRetention({ decisionSummaryDays: 53 });
  await bench.run(clearTooOldJobHistory);
  t.same(await summaries(), [dropped], 'and in the end they go as well');
});

t.test('the rules of one procedure may have their own limits', async (t) => {
  t.teardown(() => setRetention({ jobsPerRule: defaultRetention.jobsPerRule }, 'test'));
  setRetention({ jobsPerRule: 2 }, 'test');
  const bench = await openProcedureBench(t);
  await addRule(bench, 2);
  await bench.store.db.updateTable('job_rules').set({ procedure: 'other' }).where('id', '=', 1).execute();
  for (const ruleId of [1, 2]) for (let i = 0; i < 5; i++) await addJob(bench, { ageDays: 0, ruleId });
  await bench.run(clearTooOldJobHistory);
  t.equal((await jobIds(bench, 1)).length, 6);
  t.equal((await jobIds(bench, 2)).length, 2);
  for (const [changes, message] of [
    [{ mailDays: 1 }, /^setRetention: mailDays: unknown number; known are jobDays/],
    [{ jobDays: -1 }, 'setRetention: jobDays: expected a number, at least 0, got: -1'],
  ] as const) {
    t.throws(() => setRetention(changes as object), { code: 'LINOD_ERR_BAD_CONFIG', message });
  }
  const wrong = { doneMailDays: 1 } as unknown as Parameters<typeof setRetention>[0];
  t.throws(() => setRetention(wrong, 'test'), {
    message: /unknown number of a procedure; known are jobDays/,
  });
});

t.test('a job with very many lines is deleted, too', async (t) => {
  const bench = await openProcedureBench(t);
  await addRule(bench, 2);
  await addJob(bench, { ageDays: 40, lines: 1200 });
  const newest = await addJob(bench, { ageDays: 0 });
  await bench.run(clearTooOldJobHistory);
  t.same(await jobIds(bench), [newest]);
  t.same(await bench.store.db.selectFrom('job_lines').select('id').execute(), []);
});

t.test('handled requests without a job are deleted', async (t) => {
  const bench = await openProcedureBench(t);
  await addRule(bench, 2);
  const addRequest = async (handledDaysAgo: number | null) => {
    const handled_at = handledDaysAgo === null ? null : bench.clock.now() - handledDaysAgo * dayMs;
    const row = await bench.store.db
      .insertInto('job_requests')
      .values({ rule_id: 2, action: 'run', requested_at: 0, requested_by: 'ann', handled_at })
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  };
  const open = await addRequest(null);
  const ofOldJob = await addRequest(40);
  const ofFailedJob = await addRequest(40);
  await addRequest(40);
  const recent = await addRequest(1);
  await addJob(bench, { ageDays: 40, requestId: ofOldJob });
  await addJob(bench, { ageDays: 40, status: 'failed', requestId: ofFailedJob });
  await addJob(bench, { ageDays: 0 });
  const { lines } = await bench.run(clearTooOldJobHistory);
  const left = await bench.store.db.selectFrom('job_requests').select('id').orderBy('id').execute();
  t.same(
    left.map((row) => row.id),
    [open, ofFailedJob, recent],
  );
  t.same(lines, ['INFO 1 job, 0 decisions and 2 requests deleted']);
});

t.test("entries of the console's audit are kept for a year", async (t) => {
  const bench = await openProcedureBench(t);
  for (const ageDays of [400, 366, 300]) {
    const entry = { user_name: 'ann', action: 'rule.pause', target: 'rule 3', detail: '' };
    const at = bench.clock.now() - ageDays * dayMs;
    await bench.store.db
      .insertInto('console_audit')
      .values({ ...entry, at })
      .execute();
  }
  const { lines } = await bench.run(clearTooOldJobHistory);
  t.equal((await bench.store.db.selectFrom('console_audit').selectAll().execute()).length, 1);
  t.same(lines, ["INFO 2 entries of the console's audit deleted"]);
});

t.test('an aborted run stops with a message, and the next one finishes', async (t) => {
  const bench = await openProcedureBench(t);
  await addRule(bench, 2);
  for (let i = 0; i < 60; i++) await addJob(bench, { ageDays: 40 });
  const ar = await bench.run(clearTooOldJobHistory, (request) => request.abort());
  t.same(ar.lines, ['DEBUG nothing is too old; the run was ended before all was done']);
  t.equal((await jobIds(bench)).length, 60);
  await bench.run(clearTooOldJobHistory);
  t.equal((await jobIds(bench)).length, 1);
});
