// A worker of an old version that still runs while a newer one upgrades the database of its site.

import Sqlite from 'better-sqlite3';
import t, { type Test } from 'tap';
import { LiveSite } from '../support/live-site.js';
import { PostgresServer } from '../support/postgres.js';
import { eventually } from '../support/programs.js';

const files = {
  'procedures/work.ts': `import { scheduleOften } from 'linod';
scheduleOften({ every: 1 }, function breathe() {
  console.log('breathing');
});
`,
};
const says = 'has unknown migrations of linod: number 9999;';

/** @param setNewer does in the database what an upgrade to migration 9999 does there, or takes it back */
async function check(t: Test, site: LiveSite, setNewer: (isNewer: boolean) => Promise<unknown>) {
  const worker = await site.startWorker('--initiate');
  const breaths = () => worker.lines.filter((line) => line.includes('breathing')).length;
  await eventually('it breathes', () => breaths() > 0);
  await setNewer(true);
  await worker.printed(/polling the rules failed; trying again/);
  const before = breaths();
  await worker.printed(/the heartbeat failed/);
  await worker.printed((line) => line.includes(says));
  t.equal(breaths(), before, 'it takes no work');
  t.match(await site.run('linod', 'status'), { code: 1, stderr: says }, 'nor does a command');
  await setNewer(false);
  await worker.printed(/polling the rules succeeds again/);
  await eventually('it breathes again', () => breaths() > before);
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
}

t.test('an old worker notices that a newer version upgrades its SQLite file', async (t) => {
  const site = new LiveSite(t, { files });
  await check(t, site, async (isNewer) => {
    const database = new Sqlite(site.path('linod.db'));
    database.pragma(`user_version = ${isNewer ? 9999 : 1}`);
    database.close();
  });
});

t.test('an old worker notices that a newer version upgrades its PostgreSQL database', async (t) => {
  const server = await PostgresServer.start(t);
  const databaseUrl = await server.createDatabase();
  const site = new LiveSite(t, { files, databaseUrl });
  await check(t, site, (isNewer) =>
    server.run(
      isNewer
        ? "insert into linod_migrations (owner, name, ran_at) values ('linod', '9999-later', 0)"
        : "delete from linod_migrations where name = '9999-later'",
      new URL(databaseUrl).pathname.slice(1),
    ),
  );
});
