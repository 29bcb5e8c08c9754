// Sites on PostgreSQL: workers of several machines, and a server that goes away and comes back.

import t, { type Test } from 'tap';
import type { Job } from '../../src/runs/job.js';
import { LiveSite } from '../support/live-site.js';
import { PostgresServer } from '../support/postgres.js';
import { eventually, type Program } from '../support/programs.js';

const files = {
  'procedures/work.ts': `import { type BaseRequest, scheduleDaily, scheduleOften, sql } from 'linod';
for (const name of ['ants', 'bees']) {
  scheduleOften({ name, every: 1, onFailure: 'continue' }, async function work(ar: BaseRequest) {
    await sql\`select 1\`.execute(ar.db);
    ar.info(\`\${name} at work\`);
  });
}
scheduleDaily(async function wish(ar: BaseRequest) {
  ar.info('a wish');
});
scheduleDaily(async function wait(ar: BaseRequest) {
  await new Promise((resolve) => ar.signal.addEventListener('abort', resolve, { once: true }));
});
`,
};

const server = await PostgresServer.start(t);

/** Sites as on several machines: a directory, a channel layer and a log each, and one database for all. */
async function machines(t: Test, count: number): Promise<LiveSite[]> {
  const databaseUrl = await server.createDatabase();
  return Array.from(
    { length: count },
    () => new LiveSite(t, { databaseUrl, files, shippedProcedures: true }),
  );
}

t.test('machines that share only the database share the work, and wake one another', async (t) => {
  const [here, there, desk] = await machines(t, 3);
  if (here === undefined || there === undefined || desk === undefined) throw new Error('unreachable');
  const workers = await Promise.all([here.startWorker(), there.startWorker()]);
  for (const worker of workers) t.notMatch(worker.lines.join('\n'), 'not-to-be-shown');
  t.match(await here.initiate(), { code: 0 });
  await there.logged(/"?ants at work|bees at work/);
  await here.logged(/listens on/);

  // Nobody works on the third machine; its commands reach the workers of the others.
  const done = await desk.run('linod', 'rule', await numberOf(desk, 'wish'), 'run', '--wait');
  t.match(done, { code: 0, stdout: /^job \d+ done/, stderr: '' });

  const rule = await numberOf(desk, 'wait');
  await desk.linod('rule', rule, 'run');
  await desk.untilJobs('wait', 'it runs', (jobs) => jobs.some(({ status }) => status === 'running'));
  await desk.linod('rule', rule, 'stop');
  await desk.untilJobs('wait', 'it was ended', (jobs) => jobs.some(({ status }) => status === 'cancelled'));

  const { db } = await desk.store();
  await db.updateTable('job_rules').set({ every: 2 }).where('procedure', '=', 'wait').execute();
  await eventually('a worker has heard of what was changed in the database', async () => {
    const records = [...(await here.currentRecords()), ...(await there.currentRecords())];
    return records.some(({ text }) => text.includes('was changed in the database: every: suggested → 2'));
  });

  for (const [i, site] of [here, there].entries()) {
    const worker = workers[i];
    if (worker === undefined) throw new Error('unreachable');
    await site.untilJobs('ants', `worker ${i} runs some`, (jobs) => jobs.some(by(worker)));
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
  }
  await checkHistory(t, desk);
});

t.test(
  'a server that stops is waited for, by a worker that is started meanwhile, too; nothing ran twice',
  async (t) => {
    const [here, there] = await machines(t, 2);
    if (here === undefined || there === undefined) throw new Error('unreachable');
    const workers = await Promise.all([here.startWorker('--initiate'), there.startWorker('--initiate')]);
    await here.untilJobs('ants', 'some ran', (jobs) => jobs.length >= 3);

    await server.stop();
    for (const worker of workers) await worker.printed(/ERROR .*(polling the rules failed|heartbeat failed)/);
    const refused = await here.run('linod', 'status');
    t.match(refused, {
      code: 1,
      stdout: '',
      stderr: /^linod: cannot open the database test\d+ at 127\.0\.0\.1:\d+ as linod: connect ECONNREFUSED/,
    });
    t.notMatch(refused.stderr, 'not-to-be-shown');
    t.notMatch(refused.stderr, /\n {4}at /);
    const [late, stopped] = [here, there].map((site) => site.start('runworker', site.channel));
    if (late === undefined || stopped === undefined) throw new Error('unreachable');
    const awaited = /^ERROR cannot open the database .* ECONNREFUSED .*; waiting for it$/;
    for (const worker of [late, stopped]) await worker.printed(awaited);
    stopped.kill('SIGTERM');
    t.match(await stopped.ended(), { code: 0, stderr: /\nstopped\n$/ }, 'a worker that waits can be stopped');
    await server.start();
    await late.printed(/is listening/);
    await late.printed(/^WARNING the database was away for .* when this worker was started$/);
    for (const worker of workers)
      await worker.printed(/polling the rules succeeds again|the heartbeat works again/);
    workers.push(late);
    const before = (await here.jobs('bees')).length;
    await here.untilJobs('bees', 'they go on', (jobs) => jobs.length >= before + 3);

    await server.kill();
    await server.start();
    const then = (await here.jobs('bees')).length;
    await here.untilJobs('bees', 'they go on after a crash', (jobs) => jobs.length >= then + 3);
    const done = await there.run('linod', 'rule', await numberOf(there, 'wish'), 'run', '--wait');
    t.match(done, { code: 0 });

    for (const worker of workers) worker.kill('SIGTERM');
    for (const worker of workers) {
      const ended = await worker.ended();
      t.match(ended, { code: 0 });
      t.notMatch(ended.stdout + ended.stderr, 'not-to-be-shown');
    }
    await checkHistory(t, here);
  },
);

/** A job a due time, and none that still runs. */
async function checkHistory(t: Test, site: LiveSite): Promise<void> {
  const jobs = await site.jobs();
  const due = jobs.filter(({ dueAt }) => dueAt !== null);
  const keys = due.map(({ ruleId, dueAt }) => `${ruleId} ${dueAt?.getTime()}`);
  t.equal(new Set(keys).size, keys.length, 'a job a due time');
  const left = jobs.filter(({ status }) => status === 'running');
  t.same(left, [], 'none is left running');
}

t.test('a worker does not wait for a database that it cannot get into', async (t) => {
  const [site] = await machines(t, 1);
  if (site === undefined) throw new Error('unreachable');
  const { databaseUrl } = site;
  const urls = { 'password authentication failed': databaseUrl.replace('not-to-be-shown', 'guessed') };
  for (const [why, url] of Object.entries({ ...urls, 'does not exist': server.url('nowhere') })) {
    site.environment = { DATABASE_URL: url };
    const { code, stderr } = await site.run('runworker', site.channel);
    t.equal(code, 1);
    t.match(stderr, why);
    t.notMatch(stderr, 'waited for');
  }
});

async function numberOf(site: LiveSite, procedure: string): Promise<string> {
  let id: number | undefined;
  await eventually(`there is a rule of ${procedure}`, async () => {
    const { db } = await site.store();
    const row = await db
      .selectFrom('job_rules')
      .select('id')
      .where('procedure', '=', procedure)
      .executeTakeFirst();
    id = row?.id;
    return id !== undefined;
  });
  return String(id);
}

function by({ pid }: Program): (job: Job) => boolean {
  return ({ workerId }) => workerId.includes(`[${pid}]`);
}
