// The signals that a worker understands.

import { renameSync } from 'node:fs';
import t from 'tap';
import { faults, LiveSite, stopApplication } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

const files = {
  'procedures/work.ts': `import { type BaseRequest, scheduleDaily, scheduleOften } from 'linod';
scheduleDaily(async function boil_eggs(ar: BaseRequest) {
  await new Promise((resolve) => setTimeout(resolve, 2000));
  ar.info('the eggs are done');
});
scheduleDaily(async function never_listen() {
  await new Promise((resolve) => setTimeout(resolve, 3_600_000));
});
scheduleDaily(async function listen(ar: BaseRequest) {
  await new Promise((resolve) => ar.signal.addEventListener('abort', resolve));
  ar.info('as you wish');
});
scheduleOften({ every: 1 }, function breathe() {});
`,
};
const [boilEggs, neverListen, listen] = ['1', '2', '3'];

t.test('SIGTERM lets a job finish within the grace', async (t) => {
  const site = new LiveSite(t, { files });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', boilEggs, 'run');
  await site.untilJobs('boil_eggs', 'it runs', (jobs) => jobs.some(is('running')));
  worker.kill('SIGTERM');
  t.match(await worker.ended(), {
    code: 0,
    signal: null,
    stderr: /SIGTERM: stopping; repeat to end at once/,
  });
  t.match(await site.jobs('boil_eggs'), [{ status: 'done', message: /^done in / }]);
  t.match(await site.logged(/^the eggs are done/), {});
  t.notOk((await site.jobs()).some(is('running')));
});

t.test(
  'after the grace a job is aborted, and one that does not react is left behind',

  async (t) => {
    const site = new LiveSite(t, { files });
    const worker = await site.startWorker('--initiate', '--grace', '1');
    for (const rule of [neverListen, listen]) await site.linod('rule', rule, 'run');
    for (const procedure of ['never_listen', 'listen']) {
      await site.untilJobs(procedure, 'it runs', (jobs) => jobs.some(is('running')));
    }
    worker.kill('SIGTERM');
    const { code, stderr } = await worker.ended();
    t.equal(code, 0);
    t.match(await site.jobs('listen'), [
      { status: 'lost', message: 'interrupted by a restart; it ended by itself' },
    ]);
    const left = 'interrupted by a restart; it did not react within 500 ms and may still be going on';
    t.match(await site.jobs('never_listen'), [{ status: 'lost', message: left }]);
    t.match(
      stderr,
      /WARNING job \d+ of Job rule #2 <Procedures\.never_listen every 1 daily> lost: interrupted by a restart/,
    );
    t.match(await site.logged(/never_listen every 1 daily> lost/), {});
  },
);

t.test('a second SIGTERM ends at once, and the job is lost', async (t) => {
  const site = new LiveSite(t, { files });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', neverListen, 'run');
  await site.untilJobs('never_listen', 'it runs', (jobs) => jobs.some(is('running')));
  worker.kill('SIGTERM');
  await site.logged(/^worker .* stops$/);
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 143, signal: null, stderr: /SIGTERM again: ending at once\n$/ });
  t.match(await site.run('linod'), { code: 3, stderr: /^no worker is running: /m });
  t.match(await site.jobs('never_listen'), [{ status: 'lost', message: 'interrupted by a restart' }]);
});

t.test('a run that a stopping worker ends is repeated by the next one where its rule says so', async (t) => {
  const procedure = `import { type BaseRequest, scheduleDaily } from 'linod';
scheduleDaily({ onFailure: 'retry', onLost: 'run-again' }, async function report(ar: BaseRequest) {
  if (ar.lastCheckpoint === 'half') return ar.info('the other half');
  await ar.checkpoint('half');
  await new Promise((_, reject) => ar.signal.addEventListener('abort', () => reject(ar.signal.reason)));
});
`;
  const site = new LiveSite(t, { files: { 'procedures/report.ts': procedure } });
  const worker = await site.startWorker('--initiate', '--grace', '1');
  await site.linod('rule', 'report', 'run');
  await eventually('it is half done', async () => (await site.jobs())[0]?.checkpoint === 'half');
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0, stderr: /interrupted by a restart; .*; attempt 2 of 4 comes/ });
  await site.startWorker();
  await site.untilJobs('report', 'it is done', (jobs) => jobs.some(is('done')));
  t.match(await site.jobs(), [
    { attempt: 1, status: 'lost', message: 'interrupted by a restart; it ended as it was asked to' },
    { attempt: 2, status: 'done' },
  ]);
  t.match(await site.linod('why', 'report'), /lost: job 1: interrupted by a restart/);
});

t.test(
  'SIGTERM during the start-up is heard, and the worker ends when it has started',

  async (t) => {
    const site = new LiveSite(t, {
      files: {
        ...files,
        'procedures/slow.ts': `import { existsSync } from 'node:fs';
console.error('loading');
while (!existsSync(import.meta.dirname + '/go')) await new Promise((resolve) => setTimeout(resolve, 10));
`,
      },
    });
    const worker = site.start('runworker', site.channel, '--initiate');
    await worker.printed(/^loading$/);
    worker.kill('SIGTERM');
    await worker.printed(/SIGTERM: stopping/);
    site.write({ 'procedures/go': '' });
    t.match(await worker.ended(), { code: 0, stderr: /stopped\n$/ });
    t.same(await site.jobs(), []);
    t.match(await site.run('linod', 'workers'), { stdout: '', stderr: /^no worker is running/ });

    const again = site.start('runworker', site.channel, '--initiate');
    await again.printed(/is listening/);
    again.kill('SIGTERM');
    t.match(await again.ended(), { code: 0 }, 'directly after the start');
  },
);

t.test('SIGHUP opens the log anew and reads the configuration again', async (t) => {
  const config = (logLevel: string, more = '') =>
    `import { defineSite } from 'linod';
export default defineSite({ name: 'test', timezone: 'UTC', shippedProcedures: false, logLevel: '${logLevel}'${more} });
`;
  const site = new LiveSite(t, { files: { ...files, 'linod.config.ts': config('INFO') } });
  const worker = await site.startWorker('--initiate');
  const application = site.startApplication('web');
  await site.untilRecords(application, 'web', 500);
  renameSync(site.logFile, `${site.logFile}.1`);
  site.write({ 'linod.config.ts': config('DEBUG') });
  worker.kill('SIGHUP');
  await worker.printed(/^the configuration was read again, the log level is DEBUG$/);
  await site.logged(/^job \d+ of Job rule #4 .* started/);
  const count = await stopApplication(application);
  await site.untilRecords(application, 'web', count);

  site.write({ 'linod.config.ts': config('INFO', `, timezone: 'Europe/Tallinn', maxJobs: 3`) });
  worker.kill('SIGHUP');
  await worker.printed(/read again, the log level is INFO; restart the worker to change timezone, maxJobs$/);
  site.write({ 'linod.config.ts': config('LOUD') });
  worker.kill('SIGHUP');
  await worker.printed(/ERROR the configuration could not be read again; the worker keeps the old one/);
  await site.logged(
    /linod\.config\.ts: logLevel: expected DEBUG, INFO, WARNING, ERROR or CRITICAL, got: "LOUD"/,
  );
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });

  const records = await site.records();
  t.same(faults(records, `web[${application.pid}]`, count), []);
  const jobStarts = records.flatMap(({ text }, i) => (/^job \d+ of .* started/.test(text) ? [i] : []));
  const readings = records.flatMap(({ text }, i) => (text.startsWith('the configuration ') ? [i] : []));
  t.equal(readings.length, 3);
  t.ok(
    jobStarts.every((i) => i > (readings[0] ?? 0) && i < (readings[1] ?? 0)),
    'the level counts at once',
  );
});

t.test('SIGTSTP takes no new work until SIGCONT', async (t) => {
  const site = new LiveSite(t, { files });
  const worker = await site.startWorker('--initiate');
  await site.untilJobs('breathe', 'it breathes', (jobs) => jobs.some(is('done')));
  worker.kill('SIGTSTP');
  await worker.printed(/paused: no jobs start until SIGCONT/);
  await site.linod('rule', listen, 'run');
  await site.untilJobs('breathe', 'the last one is done', (jobs) => jobs.every(is('done')));
  const { length } = await site.jobs();
  const pausedAt = Date.now();
  await eventually('two due times have passed', () => Date.now() > pausedAt + 2000);
  t.equal((await site.jobs()).length, length, 'nothing was started');
  t.match(await site.initiate(), { code: 0 }, 'it still answers');

  worker.kill('SIGCONT');
  await worker.printed(/resumed: jobs start again/);
  await site.untilJobs('listen', 'what was asked for runs', (jobs) => jobs.some(is('running')));
  await site.untilJobs('breathe', 'it breathes again', (jobs) => jobs.length > length);
});

t.test('SIGUSR2 writes what the worker is doing to the log', async (t) => {
  const site = new LiveSite(t, { files });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', neverListen, 'run');
  await site.untilJobs('never_listen', 'it runs', (jobs) => jobs.some(is('running')));
  await site.logged(/listens on/);
  worker.kill('SIGUSR2');
  const { text } = await site.logged(/^status \{/);
  const status: unknown = JSON.parse(text.slice('status '.length));
  t.match(status, {
    worker: new RegExp(`\\[${worker.pid}\\]@`),
    version: String,
    uptimeMs: Number,
    tasks: 'running',
    logger: 'writing',
    jobs: [{ job: Number, rule: 2, procedure: 'never_listen' }],
    channels: [{ channel: 'linod_test', failed: 0, dropped: 0, lastError: null }],
    memoryBytes: Number,
  });
});

function is(status: string): (job: { status: string }) => boolean {
  return (job) => job.status === status;
}
