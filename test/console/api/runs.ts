// The runs in the console's API: finding them, one of them, and what may be done with it.

import t from 'tap';
import type {
  JobLine,
  JobStory,
  JobSummary,
  JobView,
  OverviewView,
  Page,
  Requested,
} from '../../../src/console/api.js';
import type { JobRow } from '../../../src/store/schema.js';
import { ConsoleServer } from '../../support/console-server.js';

const start = Date.UTC(2026, 10, 24, 12);
const script = '<script>globalThis.isHurt = true</script>';
const large = '{"customer":12345678901234567890}';

const server = await ConsoleServer.start(t, { timezone: 'Europe/Tallinn' });
const { db } = server.store;
const viewer = await server.signedIn('viewer');
const operator = await server.signedIn('operator');

for (const [index, name] of ['mails', 'report_100%', script].entries()) {
  const rule = { seqno: index, name, procedure: `do_${index}`, suggestion: '{}', created_at: start };
  await db.insertInto('job_rules').values(rule).execute();
}

/** A job of every minute; the last one runs. */
async function addJob(row: Partial<JobRow>): Promise<void> {
  const { count } = await db
    .selectFrom('jobs')
    .select((eb) => eb.fn.countAll().as('count'))
    .executeTakeFirstOrThrow();
  const startedAt = start + Number(count) * 60_000;
  const common = {
    procedure: 'do_0',
    worker_id: 'w1',
    start_datetime: startedAt,
    end_datetime: startedAt + 500,
  };
  await db
    .insertInto('jobs')
    .values({ rule_id: 1, status: 'done', message: '', ...common, ...row })
    .execute();
}

const worker = { id: 'w1', host: 'elsewhere', pid: 1, pid_start: '1', channels: '', version: '' };
// Its heartbeat is not late, however long the tests take.
await db
  .insertInto('workers')
  .values({ ...worker, started_at: Date.now(), heartbeat_at: Date.now() + 3_600_000 })
  .execute();

const request = { rule_id: 1, action: 'run', requested_at: start, handled_at: start };
await addJob({ due_at: start });
await addJob({ status: 'failed', message: `Error: ${script}\n    at work`, cause: 'threw', args: large });
await db
  .insertInto('job_requests')
  .values({ ...request, requested_by: 'job 2', of_job: 2, attempt: 2, args: large, outcome: 'run' })
  .execute();
await addJob({ status: 'lost', message: 'the worker is gone', attempt: 2, request_id: 1, args: large });
await addJob({ rule_id: 2, message: 'sent 100 % of them' });
await addJob({
  rule_id: 3,
  status: 'running',
  end_datetime: null,
  progress: '{"done":1,"total":3,"text":null}',
});

async function found(query: string): Promise<number[]> {
  const answer = await viewer.get(`api/jobs?${query}`);
  return answer.status === 200 ? answer.json<Page<JobSummary>>().rows.map(({ id }) => id) : [-answer.status];
}

t.test('runs are found by rule, status, time and text, the newest first', async (t) => {
  const claims: ReadonlyArray<readonly [query: string, ids: readonly number[]]> = [
    ['', [5, 4, 3, 2, 1]],
    ['rule=1', [3, 2, 1]],
    ['rule=mails', [3, 2, 1]],
    ['rule=nothing', [-404]],
    ['status=failed,lost', [3, 2]],
    ['status=running', [5]],
    ['status=done,lost&rule=1', [3, 1]],
    ['since=2026-11-24T14:02&until=2026-11-24T14:04', [4, 3]],
    ['since=yesterday', [-400]],
    ['text=ERROR: <SCRIPT', [2]],
    ['text=100%25', [4]],
    ['text=_______', []],
    ['text=12345678901234567890', [3, 2]],
    ['text=do_2', [5]],
    ['text=worker&status=lost&rule=1&until=2026-12-01', [3]],
  ];
  for (const [query, ids] of claims) t.same(await found(query), ids, query);
});

t.test('a list goes on after the last row', async (t) => {
  const first = (await viewer.get('api/jobs?limit=2')).json<Page<JobSummary>>();
  t.match(first, { rows: [{ id: 5, ruleName: script }, { id: 4 }], next: '4', searchedTo: null });
  t.same(await found(`limit=2&after=${first.next}`), [3, 2]);
  const last = (await viewer.get('api/jobs?after=2')).json<Page<JobSummary>>();
  t.match(last, { rows: [{ id: 1 }], next: null });
});

t.test('a run has its exact arguments, its attempts, its lines and its story', async (t) => {
  t.match((await viewer.get('api/jobs/3')).json<JobView>(), {
    id: 3,
    ruleName: 'mails',
    status: 'lost',
    attempt: 2,
    requestId: 1,
    requestedBy: 'job 2',
    args: large,
    checkpoint: null,
  });
  const story = (await viewer.get('api/jobs/3/story')).json<JobStory>();
  t.match(story.attempts, [
    { attempt: 1, job: { id: 2, status: 'failed' } },
    { attempt: 2, job: { id: 3, status: 'lost' } },
  ]);
  const told = (await viewer.get('api/jobs/1/story')).json<JobStory>().sentences;
  t.match(told, [/^job 1 was done after 500 ms$/, 'it ran on worker w1']);

  const line = { job_id: 5, logged_at: start, level: 'INFO' };
  await db
    .insertInto('job_lines')
    .values(['one', script].map((text) => ({ ...line, text })))
    .execute();
  const lines = (await viewer.get('api/jobs/5/lines')).json<readonly JobLine[]>();
  t.match(lines, [{ text: 'one', level: 'INFO', at: '2026-11-24T12:00:00.000Z' }, { text: script }]);
  t.match((await viewer.get(`api/jobs/5/lines?after=${lines[0]?.id}`)).json(), [{ text: script }]);
  t.same(
    [await viewer.get('api/jobs/99'), await viewer.get('api/jobs/x')].map(({ status }) => status),
    [404, 400],
  );
});

t.test(
  'an operator runs it again with the same arguments, which the audit tells; a viewer may not',
  async (t) => {
    const open = () =>
      db.selectFrom('job_requests').selectAll().where('handled_at', 'is', null).orderBy('id').execute();
    for (const verb of ['again', 'cancel']) t.equal((await viewer.post(`api/jobs/5/${verb}`)).status, 403);
    t.same(await open(), []);

    const again = (await operator.post('api/jobs/2/again')).json<Requested>();
    t.match(again.text, /a run is asked for/);
    t.match(await open(), [
      { id: again.request, rule_id: 1, action: 'run', args: large, requested_by: 'operator' },
    ]);
    t.match((await viewer.get(`api/requests/${again.request}`)).json(), { text: /./, job: null });
    await addJob({ request_id: again.request, args: large });
    t.match((await viewer.get(`api/requests/${again.request}`)).json(), { job: { id: 6 } });
    t.equal((await viewer.get('api/requests/99')).status, 404);

    t.match((await operator.post('api/jobs/1/cancel')).json(), {
      request: null,
      text: 'Job 1 had ended before: it is done.',
    });
    const stop = (await operator.post('api/jobs/5/cancel')).json<Requested>();
    t.match((await open()).at(-1), { id: stop.request, action: 'cancel', of_job: 5 });
    t.equal((await operator.post('api/jobs/99/again')).status, 404);
    const audit = await db
      .selectFrom('console_audit')
      .selectAll()
      .where('action', 'like', 'job.%')
      .orderBy('id')
      .execute();
    t.match(audit, [
      { action: 'job.again', target: 'job 2', detail: `rule 1 with ${large}`, user_name: 'operator' },
      { action: 'job.cancel', target: 'job 1' },
      { action: 'job.cancel', target: 'job 5' },
      { action: 'job.again', detail: /failed/ },
    ]);
  },
);

t.test('the overview names problems, and counts what ran today', async (t) => {
  const now = Date.now();
  await addJob({
    rule_id: 2,
    status: 'failed',
    message: 'Error: no stock',
    start_datetime: now,
    end_datetime: now,
  });
  const failuresInRow = async (count: number) => {
    await db.updateTable('job_rules').set({ failures_in_row: count }).where('id', '=', 2).execute();
  };
  await failuresInRow(1);
  const overview = async () => (await viewer.get('api/overview')).json<OverviewView>();
  t.match(await overview(), {
    problems: [
      { code: 'failed', text: /job 7, failed: Error: no stock/, link: '/rules/2' },
      { code: 'not-started', link: '/workers' },
      { code: 'log-not-written', link: '/log' },
    ],
    today: { failed: 1, done: 0 },
    running: [{ id: 5 }],
    failures: [{ times: 1, last: { id: 7 } }],
    next: [],
    workers: 1,
  });
  await addJob({ rule_id: 2, start_datetime: now, end_datetime: now });
  await failuresInRow(0);
  const { problems, today } = await overview();
  const codes = problems.map(({ code }) => code);
  t.same(codes, ['not-started', 'log-not-written'], 'a success ends the problem');
  t.match(today, { failed: 1, done: 1 });

  const reason = 'failed: Error: no stock (job 7)';
  const cancelling = {
    cancelled_at: now - 5 * 86_400_000,
    cancelled_by: 'failure',
    cancelled_reason: reason,
  };
  await db.updateTable('job_rules').set(cancelling).where('id', '=', 2).execute();
  const paused = (await overview()).problems.filter(({ link }) => link === '/rules/2');
  t.match(
    paused,
    [{ code: 'paused', text: /no stock/ }],
    'a rule that a failure paused days ago is a problem',
  );
});
