// Alarms about the site: each is raised by the fault itself, and is over when the fault is.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import t from 'tap';
import { openLayer } from '../../channels/index.js';
import { AlarmReceivers } from '../support/alarm-receivers.js';
import { LiveSite } from '../support/live-site.js';
import { PostgresServer } from '../support/postgres.js';
import { scriptPath } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

t.jobs = 3;

/** Has the clock of a process be two minutes ahead, from its first line on. */
const clockAhead = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent('const now = Date.now; Date.now = () => now() + 120_000;')}`,
};

t.test('a filling spool, and the records that are missing then', async (t) => {
  const receivers = await AlarmReceivers.start(t);
  const spool = { logSpoolMegabytes: 1, logSpoolKeeps: 'newest' } as const;
  const site = new LiveSite(t, { ...receivers.config, ...spool, files: receivers.files });
  // Nobody has ordered the logger coroutine.
  await site.startWorker();
  const application = site.startApplication('web', { count: 40_000, burst: 1000 });
  await receivers.received(site, 'raised', 'spool-filling', /MiB of log records wait in the spool/);
  await application.ended();
  await site.initiate();
  await receivers.received(
    site,
    'raised',
    'log-gap',
    /^\d+ log records? of web\[\d+\] lost: linod log verify$/,
  );
  await receivers.received(site, 'cleared', 'spool-filling');
});

t.test('a deaf listener, and a full channel', async (t) => {
  const server = await RedisServer.start(t);
  const receivers = await AlarmReceivers.start(t);
  const config = { ...receivers.config, channelLayer: server.url };
  const site = new LiveSite(t, { ...config, files: receivers.files });
  // Without the logger coroutine, nobody receives on its channel.
  await site.startWorker();
  const layer = await openLayer(server.url);
  t.teardown(() => layer.close());
  // The worker's own records are there, too.
  const fill = async () => {
    for (;;) await layer.send(`${site.channel}.log`, { type: 'log.server' });
  };
  await t.rejects(fill(), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
  await receivers.received(
    site,
    'raised',
    'channel-full',
    /^channel linod_test\.log is full: 100 messages wait/,
  );
  await site.initiate();
  await receivers.received(site, 'cleared', 'channel-full');
  server.pause();
  await receivers.received(site, 'raised', 'deaf', /^worker .* does not hear: linod_test/);
  server.continue();
  await receivers.received(site, 'cleared', 'deaf');
});

t.test('the last worker is gone: the console watches, or the next worker reports it', async (t) => {
  const receivers = await AlarmReceivers.start(t);
  const site = new LiveSite(t, { ...receivers.config, files: receivers.files });
  const worker = await site.startWorker('--initiate');
  worker.kill('SIGKILL');
  await worker.ended();
  site.environment = clockAhead;
  const console = site.start('linod', 'console', '--listen', '127.0.0.1:0');
  await receivers.received(site, 'raised', 'no-worker', /^no worker is running: runworker linod_test$/);
  console.kill('SIGTERM');
  await console.ended();
  const next = await site.startWorker();
  await receivers.received(site, 'cleared', 'no-worker');
  next.kill('SIGTERM');
  await next.ended();
  site.environment = {};
  const { db } = await site.store();
  t.equal((await db.selectFrom('alarms').where('kind', '=', 'no-worker').selectAll().execute()).length, 1);
});

t.test('a worker that starts after an outage reports it', async (t) => {
  const receivers = await AlarmReceivers.start(t);
  const site = new LiveSite(t, { ...receivers.config, files: receivers.files });
  const worker = await site.startWorker('--initiate');
  worker.kill('SIGTERM');
  await worker.ended();
  site.environment = clockAhead;
  await site.startWorker();
  await receivers.received(
    site,
    'raised',
    'no-worker',
    /^no worker ran for (1 min|2 min) .*, until worker .* was started$/,
  );
  await receivers.received(site, 'cleared', 'no-worker');
});

t.test('clocks apart', async (t) => {
  const server = await PostgresServer.start(t);
  const receivers = await AlarmReceivers.start(t);
  const databaseUrl = await server.createDatabase();
  const site = new LiveSite(t, { ...receivers.config, files: receivers.files, databaseUrl });
  site.environment = clockAhead;
  const worker = await site.startWorker('--initiate');
  await receivers.received(
    site,
    'raised',
    'clocks-apart',
    / is (1 min|2 min) .*ahead of the database's: set it/,
  );
  site.environment = {};
  const other = await site.startWorker();
  worker.kill('SIGTERM');
  await worker.ended();
  await receivers.received(site, 'cleared', 'clocks-apart');
  t.ok(other.isRunning);
});

const mount = 'mount -t tmpfs -o size=30m none "$1"';
const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', `${mount}`, 'sh', '/mnt']).status === 0;

t.test('a filling disk', { skip: canMount ? false : 'file systems cannot be mounted here' }, async (t) => {
  const receivers = await AlarmReceivers.start(t);
  const site = new LiveSite(t, { ...receivers.config, files: receivers.files });
  mkdirSync(site.path('log'));
  const script = `${mount} && shift && exec "$@"`;
  const args = [process.execPath, scriptPath('runworker'), site.channel, '--initiate'];
  const worker = spawn(
    'env',
    ['-i', `PATH=${process.env.PATH}`, 'unshare', '-rm', 'sh', '-c', script, 'sh', site.path('log'), ...args],
    {
      cwd: site.directory,
      stdio: 'ignore',
    },
  );
  const ended = once(worker, 'exit');
  await receivers.received(
    site,
    'raised',
    'disk-filling',
    /^the disk of .*\/log on .* is filling up: [\d.]+ MiB are free$/,
  );
  worker.kill('SIGTERM');
  t.same(await ended, [0, null]);
  await site.startWorker();
  await receivers.received(site, 'cleared', 'disk-filling');
});
