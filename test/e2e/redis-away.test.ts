// Redis stops and comes back while everything is at work.

import t from 'tap';
import { faults, LiveSite, marks, stopApplication } from '../support/live-site.js';
import type { Program } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

const files = {
  'procedures/work.ts': `import { type BaseRequest, scheduleDaily, scheduleOften } from 'linod';
scheduleOften({ every: 1 }, async function breathe(ar: BaseRequest) {
  ar.info('a breath');
});
scheduleDaily(async function yearn(ar: BaseRequest) {
  ar.info('a wish');
});
`,
};

t.test('a worker that is started while Redis is away says so at once, and waits for it', async (t) => {
  const server = await RedisServer.start(t);
  const site = new LiveSite(t, { channelLayer: server.url, files });
  const layerLine = (worker: Program) => worker.lines.find((line) => line.startsWith('  channel layer'));
  await server.stop();
  const worker = await site.startWorker();
  t.equal(layerLine(worker), `  channel layer  ${server.url}: no answer yet; the worker waits for it`);
  await server.restart();
  await worker.printed(/the channel layer is back/);
  t.match(await site.initiate(), { code: 0 });
  t.equal(layerLine(await site.startWorker()), `  channel layer  ${server.url}`);
});

t.test(
  'while Redis is away rules run and applications log, and afterwards all goes on by itself',
  async (t) => {
    const server = await RedisServer.start(t);
    const site = new LiveSite(t, { channelLayer: server.url, files });
    const worker = await site.startWorker();
    t.match(await site.initiate(), { code: 0 });
    const applications = ['web', 'api'].map((name) => ({ name, program: site.startApplication(name) }));
    for (const { name, program } of applications) await site.untilRecords(program, name, 500);

    await server.stop();
    await worker.printed(/ERROR the channel layer is away, and is waited for: /);
    const before = (await site.jobs('breathe')).length;
    const marked = await Promise.all(applications.map(({ program }) => marks(program, 1)));
    await site.untilJobs(
      'breathe',
      'three more are done',
      (jobs) => jobs.filter(isDone).length >= before + 3,
    );

    const asked = await site.run('linod', 'rule', '2', 'run', '--wait');
    t.match(asked, { code: 0, stdout: /^job \d+ done/ }, 'the database carries what is asked for');
    t.match(asked.stderr, 'the workers will notice within 5 s; they cannot be notified now: ');
    t.notMatch(asked.stderr, /\n {4}at /);
    const initiated = await site.initiate();
    t.match(initiated, { code: 1, stdout: '' });
    const refused = `Redis at 127.0.0.1:${server.port} cannot be reached: connect ECONNREFUSED 127.0.0.1:${server.port}`;
    const kept =
      'the order is kept: a running worker follows it within 5 s, another when it starts: runworker linod_test\n';
    t.equal(initiated.stderr, `initiate_linod: ${refused}; ${kept}`);
    const hurried = await site.run('initiate_linod', '--timeout', '1.5');
    t.match(hurried, { code: 1, stdout: '' });
    // On a busy machine the time may be over before the first connection has been tried.
    const inTime = `initiate_linod: the channel layer ${server.url} took no message within 1.5 s`;
    t.ok([`${inTime}: ${refused}; ${kept}`, `${inTime}; ${kept}`].includes(hurried.stderr), hurried.stderr);
    for (const [i, { program }] of applications.entries()) {
      t.ok((await marks(program, 1)) > (marked[i] ?? 0) + 200, 'applications were not held up');
    }

    await server.restart();
    await worker.printed(/the channel layer is back/);
    t.match(await site.initiate(), { code: 0 }, 'the worker answers again');
    const counts = await Promise.all(
      applications.map(async (application) => ({
        ...application,
        count: await stopApplication(application.program),
      })),
    );
    for (const { name, program, count } of counts) await site.untilRecords(program, name, count);
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });

    const records = await site.records();
    for (const { name, program, count } of counts) {
      t.same(faults(records, `${name}[${program.pid}]`, count), []);
    }
    const breaths = (await site.jobs('breathe')).length;
    t.equal(records.filter(({ text }) => text.startsWith('a breath')).length, breaths);
  },
);

t.test(
  'a worker that starts while Redis is away runs the rules, and listens as soon as it can',
  async (t) => {
    const server = await RedisServer.start(t);
    const site = new LiveSite(t, { channelLayer: server.url, files });
    await server.stop();
    const worker = site.start('runworker', site.channel, '--initiate');
    await site.untilJobs('breathe', 'two are done', (jobs) => jobs.filter(isDone).length >= 2);
    const application = site.startApplication('web', { count: 100 });
    t.match(await application.ended(), { code: 0, stdout: /logged 100/, stderr: /^$/ });
    await server.restart();
    await site.untilRecords(application, 'web', 100);
    t.match(await site.initiate(), { code: 0, stdout: /was already running in worker/ });
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
    t.same(faults(await site.records(), `web[${application.pid}]`, 100), []);
  },
);

function isDone({ status }: { status: string }): boolean {
  return status === 'done';
}

t.test('initiate_linod says that a Redis that hangs took no message, and ends in time', async (t) => {
  const server = await RedisServer.start(t);
  const site = new LiveSite(t, { channelLayer: server.url });
  server.pause();
  const { code, stdout, stderr } = await site.run('initiate_linod', '--timeout', '1');
  t.match({ code, stdout }, { code: 1, stdout: '' });
  t.match(
    stderr,
    `initiate_linod: the channel layer ${server.url} took no message within 1 s; the order is kept`,
  );
});
