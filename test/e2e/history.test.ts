// The history of jobs: looked up, and a run that goes on ended from another process than the one that runs it.

import t from 'tap';
import { LiveSite } from '../support/live-site.js';

const files = {
  'procedures/garden.ts': `import { type BaseRequest, scheduleOften } from 'linod';
scheduleOften({ every: 3600 }, async function watch_grass(ar: BaseRequest) {
  ar.progress(1, 4, 'it grows');
  await new Promise((resolve) => ar.signal.addEventListener('abort', resolve));
});
// It goes on until the end of the test, however slow the machine.
scheduleOften({ every: 3600, graceSeconds: 600 }, async function watch_stone() {
  await new Promise(() => undefined);
});
scheduleOften({ every: 3600, graceSeconds: 0.1 }, async function ignore_all() {
  await new Promise(() => undefined);
});
`,
};

t.test('linod job cancel ends a run on whichever worker it is, and says whether it ended', async (t) => {
  const site = new LiveSite(t, { files, maxJobs: 1 });
  const workers = [await site.startWorker('--initiate'), await site.startWorker('--initiate')];
  // A place each: the second run is on the other worker.
  for (const rule of ['1', '2']) {
    t.match(
      await site.linod('rule', rule, 'run'),
      new RegExp(`^request \\d: run .*\\njob ${rule} has started on worker \\S+\\n$`),
    );
  }
  const [grass, stone] = await site.jobs();
  t.not(grass?.workerId, stone?.workerId);
  for (const { pid } of workers) {
    t.ok([grass, stone].some((job) => job?.workerId.includes(`[${pid}]`)));
  }

  const again = await site.run('linod', 'rule', '1', 'run');
  t.match(
    again,
    { code: 1, stdout: /\nskipped: job 1 was still running\n$/ },
    'a request during a run says what became of it',
  );
  await site.linod('rule', '1', 'set', 'overlap=queue-one');
  t.match(
    await site.linod('rule', '1', 'run'),
    /\nwaiting: all job slots are taken: .*; job 1 has been running since .* \(overlap is queue-one\)\n$/,
    'and what it waits for',
  );

  t.match(await site.run('linod', 'job', 'cancel', '2', '--timeout', '0.3'), {
    code: 1,
    stdout: '',
    stderr: /^job 2 is still running on worker \S+, 300 ms after request 5 to end it\n$/,
  });
  t.match(await site.run('linod', 'job', 'cancel', '1'), {
    code: 0,
    stdout: /^job 1 is cancelled: cancelled by \S+; it ended by itself\n$/,
    stderr: '',
  });
  t.match(await site.run('linod', 'job', 'cancel', '1'), {
    code: 0,
    stdout: /^job 1 is already cancelled: cancelled by /,
    stderr: '',
  });
  t.match(await site.run('linod', 'job', 'cancel', '9'), { code: 2, stderr: /^linod: no job 9; / });
  const asked = await (await site.store()).db
    .selectFrom('job_requests')
    .select(['of_job', 'outcome'])
    .where('action', '=', 'cancel')
    .orderBy('id')
    .execute();
  t.same(asked, [
    { of_job: 2, outcome: 'job 2 is asked to end' },
    { of_job: 1, outcome: 'job 1 is asked to end' },
  ]);

  t.match(
    await site.linod('jobs', '--since', '1 h', '--status', 'cancelled'),
    /^job .*\n +1 +#1 +watch_grass .*\n$/,
  );
  t.match(await site.run('linod', 'jobs', '--until', '1 h'), { code: 0, stdout: '', stderr: 'no jobs\n' });
  t.match(await site.run('linod', 'jobs', '--since', 'soon'), {
    code: 2,
    stderr: /^linod: expected --since to be /,
  });
});

t.test('linod job cancel says of a run that nothing can end that it may go on', async (t) => {
  const site = new LiveSite(t, { files });
  await site.startWorker('--initiate');
  t.match(await site.linod('rule', 'ignore_all', 'run'), /job 1 has started/);
  const told =
    /^job 1 is cancelled: cancelled by \S+; it did not react within 100 ms and may still be going on\n$/;
  t.match(await site.run('linod', 'job', 'cancel', '1'), { code: 1, stdout: told, stderr: '' });
  t.match(await site.linod('job', '1'), /\n {2}request {2}1\n(.*\n)* {2}cause {4}left behind\n/);
  const again = await site.run('linod', 'job', 'cancel', '1', '--json');
  t.match(again, { code: 1 });
  t.match(JSON.parse(again.stdout), { ended: false, status: 'cancelled', request: null });
});
