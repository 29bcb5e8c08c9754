// A Python process of the same site, with channels_redis, talks to the worker.

import t from 'tap';
import { RedisChannelLayer } from '../../channels/index.js';
import { LiveSite } from '../support/live-site.js';
import { DjangoWorker } from '../support/partner.js';
import { PythonPeer } from '../support/python-peer.js';
import { RedisServer } from '../support/redis.js';

const files = {
  'procedures/garden.ts': `import { scheduleDaily } from 'linod';
scheduleDaily(function water_plants() {});
`,
};

t.test('a Python process logs, asks for the tasks, runs a rule and pings', async (t) => {
  const server = await RedisServer.start(t);
  const site = new LiveSite(t, { channelLayer: server.url, files });
  const worker = await site.startWorker();
  const python = await PythonPeer.start(t, server.url);
  const reply = await python.newChannel();
  const ask = async (message: { readonly type: string; readonly [key: string]: unknown }) => {
    await python.send('linod_test', { ...message, reply_channel: reply });
    return await python.receive(reply);
  };
  const answeredBy = new RegExp(`\\[${worker.pid}\\]@`);

  t.match(await ask({ type: 'log.server' }), {
    type: 'linod.started',
    coroutine: 'log.server',
    already: false,
    worker: answeredBy,
  });
  t.match(await ask({ type: 'run.background.tasks' }), { coroutine: 'run.system.tasks', already: false });
  t.match(await ask({ type: 'run.schedule' }), { coroutine: 'run.system.tasks', already: true });
  t.match(await ask({ type: 'job.list' }), {
    type: 'job.status',
    lines: [/^Job rule #1 <Procedures\.water_plants every 1 daily> next run at: \S+T20:00:00\+00:00$/],
    worker: answeredBy,
  });
  t.match(await ask({ type: 'worker.ping' }), {
    type: 'worker.pong',
    worker: answeredBy,
    tasks: 'running',
    logger: 'writing',
    channels: [{ channel: 'linod_test', failed: 0, dropped: 0 }],
  });
  const run = { type: 'job.run', rule: 'water_plants', by: 'python' };
  t.match(await ask(run), { type: 'job.requested', rule: 'water_plants', request: 1 });
  t.match(await ask({ ...run, rule: 'water_plant' }), {
    type: 'job.refused',
    code: 'LINOD_ERR_UNKNOWN_RULE',
    error: /did you mean "water_plants"/,
  });
  await site.untilJobs('water_plants', 'it ran', (jobs) => jobs.some(({ status }) => status === 'done'));
  const get = { type: 'job.get', request: 1 };
  t.match(await ask(get), {
    type: 'job.state',
    request: 1,
    over: true,
    outcome: 'run',
    job: { id: 1, status: 'done', message: /^done in/, started: /^\d{4}-.*Z$/, ended: /^\d{4}-.*Z$/ },
  });

  const created = Date.UTC(2026, 10, 24, 20) / 1000;
  await python.send('linod_test', {
    type: 'log.record',
    name: 'lino.modlib',
    levelno: 30,
    message: 'from the control channel',
    created,
  });
  await python.send('linod_test.log', {
    type: 'log.record',
    name: 'lino',
    levelname: 'ERROR',
    msg: "from the log's channel",
    created,
    process: 4711,
    processName: 'MainProcess',
    exc_text: 'Traceback (most recent call last):\nZeroDivisionError: division by zero',
  });
  t.equal((await site.logged(/^from the control channel$/)).text, 'from the control channel');
  const { text } = await site.logged(/^from the log's channel/);
  t.equal(
    text,
    `from the log's channel {"process":"MainProcess 4711"}\nTraceback (most recent call last):\nZeroDivisionError: division by zero`,
  );
  const lines = (await site.linod('log', 'tail', '--json', '-n', '50')).trim().split('\n');
  const records = lines.map((line): { logger: string } => JSON.parse(line));
  const [warning, error] = ['lino.modlib', 'lino'].map((name) =>
    records.find(({ logger }) => logger === name),
  );
  t.match(warning, { level: 'WARNING', time: '2026-11-24T20:00:00.000+00:00' });
  t.match(error, {
    level: 'ERROR',
    message: text.replace(' {"process":"MainProcess 4711"}', ''),
    fields: { process: 'MainProcess 4711' },
  });

  await python.send('linod_test', { type: 'no.such.message' });
  await python.send('linod_test', { type: 'job.run', rule: -1 });
  await site.logged(/^a message on linod_test was dropped: /);
  await site.logged(/^a bad message on linod_test was dropped: .*rule/);
  t.match(await ask({ type: 'worker.ping' }), { type: 'worker.pong' }, 'and goes on');
});

t.test("a consumer under Channels' own runworker asks a linod worker how it is doing", async (t) => {
  const server = await RedisServer.start(t);
  const site = new LiveSite(t, { channelLayer: server.url, files });
  const worker = await site.startWorker();
  const django = DjangoWorker.start(t, server.url, 'asgi');
  const layer = new RedisChannelLayer({ hosts: [server.url] });
  t.teardown(() => layer.close());
  const reports = await layer.newChannel();
  for (let id = 1; id <= 3; id++) {
    await layer.send('python', { type: 'linod.ping', ...{ id, to: site.channel, report_to: reports } });
    const [report] = await layer.receiveMany(reports, { waitMs: 30_000 });
    const pong = { of: 'linod.ping', id, at: 'python', worker: new RegExp(`\\[${worker.pid}\\]@`) };
    t.match(report, pong, django.errors);
  }
});
