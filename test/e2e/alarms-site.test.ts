// Alarms about the site: each is raised by the fault itself, and is over when the fault is.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import t from 'tap';
import { openLayer } from '../../channels/index.js';
import { AlarmReceivers } from '../support/alarm-receivers.js';
import { LiveSite } from '../support/live-site.js';
import { PostgresServer } from '../support/postgres.js';
import { eventually, scriptPath } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

t.jobs = 2;

/** Has the clock of a process be ahead, from its first line on. */
function clockAhead(seconds: number) {
  const code = `const now = Date.now; Date.now = () => now() + ${1000 * seconds};`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
}

t.test('a filling spool, missing records, a full channel and a deaf listener', async (t) => {
  const server = await RedisServer.start(t);
  const receivers = await AlarmReceivers.start(t);
  const spool = { logSpoolMegabytes: 1, logSpoolKeeps: 'newest' } as const;
  const config = { ...receivers.config, ...spool, channelLayer: server.url };
  const site = new LiveSite(t, { ...config, files: receivers.files });
  // Nobody has ordered the logger coroutine, so nobody receives on its channel.
  await site.startWorker();
  const application = site.startApplication('web', { count: 40_000, burst: 1000 });
  await receivers.received(site, 'raised', 'spool-filling', /MiB of log records wait in the spool/);
  await application.ended();
  const layer = await openLayer(server.url);
  t.teardown(() => layer.close());
  const fill = async () => {
    for (;;) await layer.send(`${site.channel}.log`, { type: 'log.server' });
  };
  await t.rejects(fill(), { code: 'CHANNELS_ERR_CHANNEL_FULL' });
  const full = /^channel linod_test\.log is full: 100 messages wait/;
  await receivers.received(site, 'raised', 'channel-full', full);

  await site.initiate();
  const lost = /^\d+ log records? of web\[\d+\] lost: linod log verify$/;
  await receivers.received(site, 'raised', 'log-gap', lost);
  await receivers.received(site, 'cleared', 'channel-full');
  await receivers.received(site, 'cleared', 'spool-filling');

  server.pause();
  await receivers.received(site, 'raised', 'deaf', /^worker .* does not hear: linod_test/);
  server.continue();
  await receivers.received(site, 'cleared', 'deaf');
});

t.test('the last worker is gone: the console and linod serve watch', async (t) => {
  const receivers = await AlarmReceivers.start(t);
  const config = JSON.stringify({ name: 'test', shippedProcedures: false, ...receivers.config });
  const served = `export default { ...${config}, application: () => async () => {} };`;
  const site = new LiveSite(t, { files: { ...receivers.files, 'linod.config.ts': served } });
  const worker = await site.startWorker('--initiate');
  worker.kill('SIGKILL');
  await worker.ended();
  site.environment = clockAhead(120);
  const console = site.start('linod', 'console', '--listen', '127.0.0.1:0');
  await receivers.received(site, 'raised', 'no-worker', /^no worker is running: runworker linod_test$/);
  console.kill('SIGTERM');
  await console.ended();
  const next = await site.startWorker();
  await receivers.received(site, 'cleared', 'no-worker');
  next.kill('SIGKILL');
  await next.ended();
  site.environment = { ...clockAhead(240), LINOD_ALARM_WEBHOOK_FORMAT: 'slack' };
  site.start('linod', 'serve', '--http', '127.0.0.1:0');
  const text = 'test: no worker is running: runworker linod_test';
  await eventually('linod serve announces it as Slack takes it', () =>
    receivers.requests.some(({ body }) => body === JSON.stringify({ text })),
  );
  const { db } = await site.store();
  t.equal((await db.selectFrom('alarms').where('kind', '=', 'no-worker').selectAll().execute()).length, 2);
});

t.test('linod serve starts without its database, and watches when that is there', async (t) => {
  const server = await PostgresServer.start(t);
  const databaseUrl = await server.createDatabase();
  const config = { name: 'test', shippedProcedures: false, alarmCommand: 'true', databaseUrl };
  const served = `export default { ...${JSON.stringify(config)}, application: () => async () => {} };`;
  const site = new LiveSite(t, { databaseUrl, files: { 'linod.config.ts': served } });
  await server.stop();
  const program = site.start('linod', 'serve', '--http', '127.0.0.1:0');
  await program.printed(/^serving site test/);
  await server.start();
  const { db } = await site.store();
  await eventually('it watches', async () => {
    return (await db.selectFrom('leases').selectAll().where('name', '=', 'alarms').execute()).length > 0;
  });
  program.kill('SIGTERM');
  t.match(await program.ended(), { code: 0 });
});

const mount = 'mount -t tmpfs -o size=30m none "$1"';
const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', `${mount}`, 'sh', '/mnt']).status === 0;

t.test('a filling disk, and clocks apart', async (t) => {
  const server = await PostgresServer.start(t);
  const receivers = await AlarmReceivers.start(t);
  const databaseUrl = await server.createDatabase();
  const site = new LiveSite(t, { ...receivers.config, files: receivers.files, databaseUrl });
  mkdirSync(site.path('log'));
  const within = canMount ? ['unshare', '-rm', 'sh', '-c', `${mount} && shift && exec "$@"`, 'sh'] : [];
  const variables = { PATH: process.env.PATH, ...clockAhead(120) };
  const worker = spawn(
    'env',
    [
      '-i',
      ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      ...within,
      ...(canMount ? [site.path('log')] : []),
      ...[process.execPath, scriptPath('runworker'), site.channel, '--initiate'],
    ],
    { cwd: site.directory, stdio: 'ignore' },
  );
  t.teardown(() => worker.kill('SIGKILL'));
  const ended = once(worker, 'exit');
  const ahead = / is (1 min|2 min) .*ahead of the database's: set it/;
  await receivers.received(site, 'raised', 'clocks-apart', ahead);
  if (canMount) {
    const filling = /^the disk of .*\/log on .* is filling up: [\d.]+ MiB are free$/;
    await receivers.received(site, 'raised', 'disk-filling', filling);
  } else t.comment('file systems cannot be mounted here');
  worker.kill('SIGTERM');
  t.same(await ended, [0, null]);
  await site.startWorker();
  await receivers.received(site, 'cleared', 'clocks-apart');
  if (canMount) await receivers.received(site, 'cleared', 'disk-filling');
});
