// What goes wrong around a worker, and must not take its jobs or its log with it.

import { readFileSync, renameSync } from 'node:fs';
import t from 'tap';
import { beatMs } from '../../channels/waiting/beat.js';
import { LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

t.test('from SIGTERM on no due time is taken, however long a job takes to finish', async (t) => {
  const site = new LiveSite(t, {
    files: {
      'procedures/work.ts': `import { scheduleDaily, scheduleOften } from 'linod';
scheduleDaily(async function boil_eggs() {
  await new Promise((resolve) => setTimeout(resolve, 6000));
});
scheduleOften({ every: 1 }, function breathe() {});
`,
    },
  });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', '1', 'run');
  await site.untilJobs('boil_eggs', 'it runs', (jobs) => jobs.some((job) => job.status === 'running'));
  worker.kill('SIGTERM');
  await worker.printed(/SIGTERM: stopping/);
  const toldAt = Date.now();
  t.match(await worker.ended(), { code: 0 });
  const [eggs] = await site.jobs('boil_eggs');
  t.match(eggs, { status: 'done' });
  const lastTakenFor = toldAt;
  const after = (await site.jobs('breathe')).filter((job) => job.startDatetime.getTime() > lastTakenFor);
  t.same(after, []);
});

t.test(
  'a promise that a procedure forgot is told in the log, and the worker drains and ends with 1',
  async (t) => {
    const site = new LiveSite(t, {
      files: {
        'procedures/work.ts': `import { scheduleDaily } from 'linod';
scheduleDaily(async function forget() {
  void Promise.reject(new Error('nobody caught me'));
});
scheduleDaily(async function boil_eggs() {
  await new Promise((resolve) => setTimeout(resolve, 1500));
});
`,
      },
    });
    const worker = await site.startWorker('--initiate');
    await site.linod('rule', '2', 'run');
    await site.untilJobs('boil_eggs', 'it runs', (jobs) => jobs.some((job) => job.status === 'running'));
    await site.linod('rule', '1', 'run');
    t.match(await worker.ended(), { code: 1 });
    t.match(await site.jobs('boil_eggs'), [{ status: 'done' }]);
    const log = readFileSync(site.logFile, 'utf8');
    t.match(
      log,
      / CRITICAL linod\[\d+\]#\d+ linod: uncaught error; the worker stops \n {4}Error: nobody caught me \n/,
    );
  },
);

t.test('a worker that nobody listens to any more still drains', async (t) => {
  const site = new LiveSite(t, {
    files: {
      'procedures/work.ts': `import { scheduleDaily } from 'linod';
scheduleDaily(async function boil_eggs() {
  await new Promise((resolve) => setTimeout(resolve, 1500));
});
`,
    },
  });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', '1', 'run');
  await site.untilJobs('boil_eggs', 'it runs', (jobs) => jobs.some((job) => job.status === 'running'));
  worker.hangUp();
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
  t.match(await site.jobs('boil_eggs'), [{ status: 'done' }]);
});

t.test('what a dead worker ran is shown as lost by the first command that looks', async (t) => {
  const site = new LiveSite(t, {
    files: {
      'procedures/work.ts': `import { scheduleDaily } from 'linod';
scheduleDaily(async function boil_eggs() {
  await new Promise((resolve) => setTimeout(resolve, 600_000));
});
`,
    },
  });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', '1', 'run');
  await site.untilJobs('boil_eggs', 'it runs', (jobs) => jobs.some((job) => job.status === 'running'));
  worker.kill('SIGKILL');
  await worker.ended();
  t.match(await site.linod('jobs'), /boil_eggs .* lost +worker .* ended meanwhile: its process \d+ is gone/);
});

t.test('a request wakes every worker, not only the one that a message reaches', async (t) => {
  const site = new LiveSite(t, {
    files: {
      'procedures/work.ts': `import { scheduleDaily } from 'linod';
scheduleDaily(function breathe() {});
`,
    },
  });
  const workers = [await site.startWorker('--initiate'), await site.startWorker('--initiate')];
  workers[0]?.kill('SIGTSTP');
  await workers[0]?.printed(/paused: no jobs start until SIGCONT/);
  for (let i = 1; i <= 3; i++) {
    await site.linod('rule', '1', 'run');
    await eventually('it has run', async () => (await site.jobs('breathe')).length === i);
  }
  const store = await site.store();
  const rows = await store.db
    .selectFrom('jobs')
    .innerJoin('job_requests', 'job_requests.id', 'jobs.request_id')
    .select(['jobs.start_datetime', 'job_requests.requested_at'])
    .execute();
  const waits = rows.map((row) => row.start_datetime - row.requested_at);
  const waited = waits.reduce((sum, ms) => sum + ms, 0);
  // Each request comes right after the run before. If only the poll saw them, each would wait for most of a beat.
  t.ok(waited < (waits.length * beatMs) / 2, `they do not wait for the poll, in ms: ${waits.join(', ')}`);
});

t.test(
  'a worker whose database file is taken away says so, takes no work, and goes on when it is back',
  async (t) => {
    const site = new LiveSite(t, {
      files: {
        'procedures/work.ts': `import { scheduleOften } from 'linod';
scheduleOften({ every: 1 }, function breathe() {
  console.log('breathing');
});
`,
      },
    });
    const worker = await site.startWorker('--initiate');
    const breaths = () => worker.lines.filter((line) => line.includes('breathing')).length;
    await eventually('it breathes', () => breaths() > 0);
    renameSync(site.path('linod.db'), site.path('away.db'));
    await worker.printed(/cannot use the database .*linod\.db: it was deleted or replaced while it was open/);
    const before = breaths();
    await worker.printed(/polling the rules failed; trying again/);
    await worker.printed(/the heartbeat failed/);
    t.equal(breaths(), before);
    renameSync(site.path('away.db'), site.path('linod.db'));
    await worker.printed(/polling the rules succeeds again/);
    await eventually('it breathes again', () => breaths() > before);
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
  },
);

t.test('a worker whose database file is gone for good reports it once and can be stopped', async (t) => {
  const site = new LiveSite(t, {
    files: {
      'procedures/work.ts':
        "import { scheduleOften } from 'linod';\nscheduleOften({ every: 1 }, function breathe() {});\n",
    },
  });
  const worker = await site.startWorker('--initiate');
  await site.untilJobs('breathe', 'it runs', (jobs) => jobs.length > 0);
  renameSync(site.path('linod.db'), site.path('away.db'));
  await worker.printed(/the heartbeat failed/);
  worker.kill('SIGTERM');
  const { code, stderr, stdout } = await worker.ended();
  t.equal(code, 1);
  t.match(stderr + stdout, /cannot use the database/);
});
