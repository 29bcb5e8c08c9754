// What probes, monitors and systemd learn of a process.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { openLayer } from '../../channels/index.js';
import { LiveSite, type LiveSiteOptions } from '../support/live-site.js';
import { NotifySocket } from '../support/notify-socket.js';
import { eventually, type Program } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';
import { SwallowingProxy } from '../support/swallowing-proxy.js';

t.jobs = 2;

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A site whose worker answers probes on a free port. */
class ProbedSite extends LiveSite {
  #url = '';

  constructor(t: Test, options: LiveSiteOptions = {}) {
    super(t, { health: '127.0.0.1:0', logSocket: '', ...options });
  }

  /** Learns the address from what the worker prints. */
  async probes(worker: Program): Promise<void> {
    const line = await worker.printed(/probes and metrics are on/);
    this.#url = /http:\S+/.exec(line)?.[0] ?? '';
  }

  async ask(path: string): Promise<Answer> {
    const response = await fetch(`${this.#url}${path}`);
    return { status: response.status, text: await response.text() };
  }

  async untilStatus(path: string, status: number): Promise<Answer> {
    let answer: Answer = { status: 0, text: '' };
    await eventually(`${path} answers ${status}`, async () => {
      answer = await this.ask(path);
      return answer.status === status;
    });
    return answer;
  }
}

t.test('a worker is ready while it listens, and a run that spins inline stops the pings', async (t) => {
  const site = new ProbedSite(t, {
    files: {
      'procedures/slow.ts': `import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { scheduleDaily } from 'linod';
scheduleDaily({ name: 'spin', every: 300, runIn: 'inline' }, async () => {
  console.error('spins');
  while (!existsSync('spun'));
});
scheduleDaily({ name: 'stay', every: 300, runIn: 'inline' }, async () => {
  console.error('stays');
  while (!existsSync('stayed')) await setTimeout(20);
});
`,
    },
  });
  const notified = await NotifySocket.open(t, 600);
  site.environment = notified.environment;
  const worker = await site.startWorker('--initiate');
  site.environment = {};
  await site.probes(worker);
  t.match(await site.untilStatus('/readyz', 200), { text: 'ok\n' });
  t.match(await site.ask('/livez'), { status: 200, text: 'ok\n' });
  t.match(await site.ask('/startupz'), { status: 200 });
  const { text } = await site.ask('/readyz?verbose');
  t.match(text, /^\[\+\] running: ok\n\[\+\] database: ok\n(.*\n)*\[\+\] listener linod_test: ok\n/);
  t.match(await site.ask('/other'), { status: 404 });
  await notified.has('READY=1');
  await notified.pinged(2);

  const layer = await openLayer(`sqlite:${site.path('channels.db')}`);
  t.teardown(() => layer.close());
  await layer.send(site.channel, { type: 'job.run', rule: 'spin' });
  await worker.printed(/spins/);
  await notified.expired();
  site.write({ spun: '' });
  await notified.pinged(2);
  t.match(await site.run('linod', 'health'), { code: 0 });

  await layer.send(site.channel, { type: 'job.run', rule: 'stay' });
  await worker.printed(/stays/);
  worker.kill('SIGTERM');
  t.match(await site.untilStatus('/readyz', 503), { text: 'running: the process is stopping\n' });
  t.match(await site.ask('/livez'), { status: 200 });
  site.write({ stayed: '' });
  t.match(await worker.ended(), { code: 0 });
  await notified.has('STOPPING=1');
  t.match(await site.run('linod', 'health'), {
    code: 3,
    stdout: /^not ready: no worker is running[^\n]*\n$/,
  });
});

t.test('a worker that waits for its database lives, and is neither started nor ready', async (t) => {
  const site = new ProbedSite(t, { databaseUrl: 'postgres://nobody@127.0.0.1:1/none' });
  const notified = await NotifySocket.open(t, 600_000);
  site.environment = notified.environment;
  const worker = site.start('runworker', site.channel);
  await site.probes(worker);
  t.match(await site.ask('/livez'), { status: 200 });
  t.match(await site.ask('/startupz'), { status: 503 });
  t.match(await site.ask('/readyz'), { status: 503 });
  await notified.has(/^STATUS=.*waiting for it$/);
  t.notOk(notified.lines.includes('READY=1'));
  site.environment = {};
  t.match(await site.run('linod', 'health'), { code: 1, stdout: /^cannot tell: [^\n]*\n$/ });
});

/** How long Redis is away; `LINOD_TEST_OUTAGE_SECONDS=120` for an outage of two minutes. */
const outageMs = Number(process.env.LINOD_TEST_OUTAGE_SECONDS ?? 0) * 1000;

t.test('the watchdog expires over a deaf listener, and not over a Redis that is away', async (t) => {
  const server = await RedisServer.start(t);
  const proxy = await SwallowingProxy.start(t, server.port);
  const site = new ProbedSite(t, { channelLayer: `redis://127.0.0.1:${proxy.port}` });
  const notified = await NotifySocket.open(t, 3000);
  site.environment = notified.environment;
  const worker = await site.startWorker('--initiate');
  await site.probes(worker);
  await site.untilStatus('/readyz', 200);
  await notified.pinged(1);

  proxy.swallowReads();
  const deafFrom = performance.now();
  await notified.has(/^STATUS=not ready: .*listener linod_test: deaf/);
  t.comment(`not ready after ${Math.round(performance.now() - deafFrom)} ms`);
  t.match(await site.ask('/readyz'), { status: 503, text: /listener linod_test: deaf/ });
  t.match(await site.ask('/livez'), { status: 200 });
  await notified.expired();
  await notified.has('STATUS=a listener is deaf although the channel layer is there');
  proxy.passOn();
  await site.untilStatus('/readyz', 200);
  await notified.pinged(1);

  proxy.swallow();
  t.match(await site.untilStatus('/readyz', 503), { text: /^layer: / });
  await notified.has(/^STATUS=not ready: layer: /);
  const { text } = await site.ask('/metrics');
  t.match(text, /^linod_ready 0$/m);
  t.match(text, /^linod_site_read_failed\{source="layer"\} 1$/m);
  t.match(text, /^linod_workers 1$/m, 'the database answers');

  await server.kill();
  proxy.passOn();
  await site.untilStatus('/readyz', 503);
  const awayUntil = performance.now() + outageMs;
  const pings = notified.pings;
  do {
    await notified.pinged(3);
    t.match([await site.ask('/livez'), await site.ask('/readyz')], [{ status: 200 }, { status: 503 }]);
  } while (performance.now() < awayUntil);
  t.comment(`${notified.pings - pings} pings while Redis was away`);
  await server.restart();
  await site.untilStatus('/readyz', 200);
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 }, 'it is the same process');
});

t.test('systemd finds nothing wrong in the units', async (t) => {
  const site = new LiveSite(t);
  const printed = await site.linod('install-service', '--print', '--serve');
  const units = printed.split(/^# (?=\/)/m).filter(Boolean);
  t.equal(units.length, 2);
  for (const unit of units) {
    const [, name = '', text = ''] = /^\S+\/(\S+)\n([\s\S]*)$/.exec(unit) ?? [];
    t.match(text, /^Type=notify$/m);
    t.match(text, /^WatchdogSec=30$/m);
    writeFileSync(site.path(name), text);
    const verify = ['verify', '--man=no', site.path(name)];
    t.equal(execFileSync('systemd-analyze', verify, { encoding: 'utf8', stdio: 'pipe' }), '', name);
  }
  const own = await site.linod('install-service', '--print', '--user');
  t.match(own, /WantedBy=default.target/);
  t.notMatch(own, /^User=/m);
});
