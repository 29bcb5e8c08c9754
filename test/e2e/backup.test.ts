// Backups of busy sites, restored elsewhere, and sites that move between databases and layers: whole processes.

import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openLayer } from '../../channels/index.js';
import { unpack } from '../../src/backup/archive.js';
import { move } from '../../src/backup/move.js';
import type { SenderReport } from '../../src/log/read/verify.js';
import { loadSite } from '../../src/site/site.js';
import { chaosProcedures, examine, untilDecided } from '../support/chaos.js';
import { testDirectory } from '../support/directory.js';
import { differences, documentedJson } from '../support/json-docs.js';
import { LiveSite, marks } from '../support/live-site.js';
import { PostgresServer } from '../support/postgres.js';
import { eventually } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

const files = { 'procedures/chaos.ts': chaosProcedures(20), 'starts.txt': '' };
const server = await PostgresServer.start(t);

/**
 * Backs up a site while workers run its rules and processes log, and restores it into another site.
 *
 * @param names of the processes that log
 * @returns the other site and the backup
 */
async function backUpAndRestore(
  t: Test,
  names: readonly string[],
  makeUrl: () => Promise<string | undefined>,
) {
  const makeSite = async () => {
    const databaseUrl = await makeUrl();
    const config = { logRotateMegabytes: 0.1, logKeepFiles: 0, files };
    return new LiveSite(t, databaseUrl === undefined ? config : { ...config, databaseUrl });
  };
  const site = await makeSite();
  const file = join(testDirectory(t), 'backup.tar.gz');
  const workers = [await site.startWorker('--initiate'), site.start('runworker', site.channel)];
  await site.untilJobs('chaos0', 'two runs', (jobs) => jobs.length > 1);
  const loggers = names.map((name) => site.startApplication(name, { burst: 2 }));
  const safe = await Promise.all(loggers.map((logger) => marks(logger, 5)));
  // A process that was killed when it had just begun its file.
  site.write({ 'log/spool/begun-1.e1.1.spool': '' });
  const report = JSON.parse(await site.linod('backup', file, '--json'));
  t.ok(report.logFiles > 0);
  t.same(await readdir(join(file, '..')), ['backup.tar.gz'], 'nothing else is left');
  for (const program of [...workers, ...loggers]) program.kill('SIGKILL');
  await Promise.all([...workers, ...loggers].map((program) => program.ended()));

  const other = await makeSite();
  await other.linod('restore', file);
  const worker = await other.startWorker('--initiate', '--grace', '10');
  const until = await untilDecided(other);
  await eventually('the records that waited are in the log', async () => {
    return (await readdir(other.path('log/spool'))).every((name) => !/^(web|shop)/.test(name));
  });
  worker.kill('SIGTERM');
  await worker.ended();
  const { untold, hanging, twice } = await examine(other, until);
  t.same({ untold, hanging, twice }, { untold: [], hanging: [], twice: [] }, 'the ledger is complete');
  const verified = await other.run('linod', 'log', 'verify', '--json');
  t.equal(verified.code, 0, 'the log is complete with the records that waited');
  const { senders }: { senders: SenderReport[] } = JSON.parse(verified.stdout);
  loggers.forEach((logger, i) => {
    const found = senders.find(({ sender }) => sender === `${names[i]}[${logger.pid}]`);
    t.match(found, { first: 1, missing: 0, doubled: 0, lost: 0 }, 'each record is there once');
    t.ok((found?.records ?? 0) >= (safe[i] ?? 0), 'all that was logged before the backup is there');
  });
  return { other, file };
}

t.test('a backup of a busy site on SQLite is complete, and can be restored again', async (t) => {
  const { other, file } = await backUpAndRestore(t, ['web', 'shop'], async () => undefined);
  const refused = await other.run('linod', 'restore', file);
  t.equal(refused.code, 2);
  t.match(refused.stderr, /is not empty: .* use --force/);
  const again = JSON.parse(await other.linod('restore', file, '--force', '--json'));
  t.same(differences(documentedJson().get('linod restore'), again), [], 'it is as documented');
});

t.test('a backup of a busy site on PostgreSQL is complete', async (t) => {
  await backUpAndRestore(t, ['web'], () => server.createDatabase());
});

t.test(
  'a backup that cannot be written fails; a damaged or cut one is refused, and nothing changes',
  async (t) => {
    const site = new LiveSite(t);
    const file = join(testDirectory(t), 'backup.tar.gz');
    await site.linod('backup', file);
    const whole = readFileSync(file);
    const nowhere = await site.run('linod', 'backup', '/nonexistent/backup.tar.gz');
    t.match(nowhere, { code: 1, stderr: /backup \/nonexistent\/backup\.tar\.gz cannot be made: ENOENT/ });
    const unread = await site.run('linod', 'restore', '/nonexistent/backup.tar.gz');
    t.match(unread, { code: 1, stderr: /cannot be restored: it cannot be read: ENOENT/ });
    const flipped = (at: number) => {
      const copy = Buffer.from(whole);
      copy[at] = (copy[at] ?? 0) ^ 0xff;
      return copy;
    };
    const places = [0, 0.1, 0.3, 0.5, 0.7, 0.9].map((share) => Math.floor(share * whole.length));
    const damaged = [...places.map(flipped), whole.subarray(0, -30), Buffer.from('no backup')];
    for (const bytes of damaged) {
      writeFileSync(file, bytes);
      await t.rejects(unpack(file, join(testDirectory(t), 'content')), { code: 'LINOD_ERR_BAD_BACKUP' });
    }
    const other = new LiveSite(t);
    const before = await readdir(other.directory);
    const { code, stderr } = await other.run('linod', 'restore', file);
    t.equal(code, 1);
    t.match(stderr, /backup .* cannot be restored: /);
    t.same(await readdir(other.directory), before);
  },
);

t.test('a restore keeps rights, replaces a damaged database, and says what is left half way', async (t) => {
  const site = new LiveSite(t, { files });
  const file = join(testDirectory(t), 'backup.tar.gz');
  await site.linod('rules', 'sync');
  await site.linod('channels', 'send', 'orders', '--type', 'order.paid');
  chmodSync(site.path('linod.db'), 0o600);
  await site.linod('backup', file);
  const other = new LiveSite(t, { files });
  await other.linod('restore', file);
  t.equal(statSync(other.path('linod.db')).mode & 0o777, 0o600);

  writeFileSync(other.path('linod.db'), 'damaged'.repeat(1000));
  t.match(await other.run('linod', 'restore', file), { code: 1, stderr: /cannot open the database/ });
  await other.linod('restore', file, '--force');
  t.match(await other.linod('rules'), /chaos0/);

  // Below a file, there is no room for the messages.
  other.environment = { LINOD_CHANNEL_LAYER: `sqlite:${other.path('application.mjs')}/channels.db` };
  const { code, stderr } = await other.run('linod', 'restore', file, '--force');
  t.equal(code, 1);
  const [, aside = ''] =
    /is restored only in part: .*; what the site had before is in (\S+);/.exec(stderr) ?? [];
  t.ok(statSync(other.path(join(aside, 'linod.db'))).isFile(), stderr);
});

t.test('a move whose messages are refused says that the database was copied', async (t) => {
  const site = new LiveSite(t);
  const from = await loadSite(site.directory, { environment: {} });
  const layer = await from.openLayer();
  await layer.send('orders', { type: 'order.paid' });
  await layer.close();
  const { db } = await site.store();
  await db.insertInto('rule_changes').values(change).execute();
  const flags = {
    databaseUrl: `sqlite:${site.path('new.db')}`,
    channelLayer: `sqlite:${site.path('new-channels.db')}`,
  };
  const target = await loadSite(site.directory, { environment: {}, anew: true, flags });
  const open = target.openLayer.bind(target);
  const sendMany = () => Promise.reject(new Error('no room'));
  target.openLayer = async (options) => Object.assign(await open(options), { sendMany });
  const parts = ['database', 'layer'] as const;
  const moving = move({ site: from, store: await site.store(), target, parts, onRows: () => undefined });
  await t.rejects(moving, {
    code: 'LINOD_ERR_MOVE_INCOMPLETE',
    message: /the database was copied, and the messages were not: no room/,
  });
});

t.test('a site moves to servers and back, and has the same rows', async (t) => {
  const redis = await RedisServer.start(t);
  const site = new LiveSite(t, { files });
  const worker = await site.startWorker('--initiate');
  await site.untilJobs('chaos0', 'two runs', (jobs) => jobs.length > 1);
  const databaseUrl = await server.createDatabase();
  const loaded = await loadSite(site.directory, { environment: {} });
  const refusal = move({
    ...{ site: loaded, store: await site.store(), target: loaded },
    ...{ parts: ['database'], onRows: () => undefined },
  });
  await t.rejects(refusal, { message: /worker .* is running: stop all workers/ });
  worker.kill('SIGTERM');
  await worker.ended();
  const order = { type: 'order.paid', order: 7 };
  const layer = await openLayer(`sqlite:${site.path('channels.db')}`);
  await layer.send('orders', order);
  await layer.close();
  // Numbers of deleted rows are not given again.
  const { db } = await site.store();
  await db.insertInto('rule_changes').values(change).execute();
  const { id } = await db
    .selectFrom('rule_changes')
    .select('id')
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow();
  await db.deleteFrom('rule_changes').where('id', '=', id).execute();

  const toServers = ['move', '--database', databaseUrl, '--layer', redis.url, '--json'];
  const full = await openLayer(redis.url);
  await full.send('orders', order);
  const fullLayer = await site.run('linod', ...toServers);
  t.match(fullLayer, { code: 2, stderr: /the target has messages on orders/ });
  const name = new URL(databaseUrl).pathname.slice(1);
  const tables = await server.run("select 1 from pg_tables where schemaname = 'public'", name);
  t.same(tables, [], 'nothing is copied when one of the targets is refused');
  await full.flush();
  await full.close();

  const there = JSON.parse(await site.linod(...toServers));
  t.same(differences(documentedJson().get('linod move'), there), [], 'it is as documented');
  t.match(there.channels, [{ channel: 'orders', messages: 1 }]);
  site.environment = { DATABASE_URL: databaseUrl, REDIS_URL: redis.url };
  const urls = {
    database: `sqlite:${site.path('back.db')}`,
    layer: `sqlite:${site.path('back-channels.db')}`,
  };
  const back = JSON.parse(
    await site.linod('move', '--database', urls.database, '--layer', urls.layer, '--json'),
  );
  t.ok(there.tables.find(({ table }: { table: string }) => table === 'jobs').rows > 1);
  t.same(back.tables, there.tables, 'the same rows and checksums');
  t.same(back.channels, there.channels, 'the same messages');
  const elsewhere = `sqlite:${site.path('other-channels.db')}`;
  const fullDatabase = await site.run('linod', 'move', '--database', urls.database, '--layer', elsewhere);
  t.match(fullDatabase, { code: 2, stderr: /is not empty: it has rows in job_rules/ });
  const untouched = await openLayer(elsewhere);
  t.same((await untouched.stats()).channels, [], 'nothing is copied when one of the targets is refused');
  await untouched.close();
  const moved = new LiveSite(t, { databaseUrl: urls.database });
  const { db: copy } = await moved.store();
  await copy.insertInto('rule_changes').values(change).execute();
  const next = await copy
    .selectFrom('rule_changes')
    .select('id')
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow();
  t.equal(next.id, id + 1, 'numbers go on after the last one');
});

const change = { rule_id: 1, revision: 0, field: 'name', changed_at: 0 } as const;
