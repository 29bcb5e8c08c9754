// Who writes lino.log when there are several workers: one, whatever becomes of it.

import { renameSync, statSync } from 'node:fs';
import t, { type Test } from 'tap';
import { CommandShell } from '../support/command-shell.js';
import { faults, LiveSite, lastMark, onBothLayers, stopApplication } from '../support/live-site.js';
import { PostgresServer } from '../support/postgres.js';
import { eventually, type Program } from '../support/programs.js';

/** Commands that are asked again and again are no processes of their own. */
const shell = await CommandShell.start(t, process.cwd());

/** Every worker that began to write the log says so by the id of the file, or of its own start. */
async function whoWrites(site: LiveSite): Promise<string[]> {
  const { stdout } = await shell.run(['linod', 'workers', '--json', '--site', site.directory]);
  const workers: Array<{ id: string; health: { logger: string } | null }> = JSON.parse(stdout);
  return workers.filter(({ health }) => health?.logger === 'writing').map(({ id }) => id);
}

async function writesWith(site: LiveSite, worker: Program): Promise<void> {
  await eventually(`worker ${worker.pid} writes`, async () =>
    (await whoWrites(site)).some((id) => id.includes(`[${worker.pid}]`)),
  );
}

async function endWell(t: Test, ...workers: readonly Program[]): Promise<void> {
  for (const worker of workers) {
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
  }
}

onBothLayers('a worker that is killed is succeeded at once in writing the log', async (t, { config }) => {
  const site = new LiveSite(t, config);
  const first = await site.startWorker('--initiate');
  await writesWith(site, first);
  const second = await site.startWorker();
  const application = site.startApplication('web', { burst: 2 });
  await site.untilRecords(application, 'web', 100);
  first.kill('SIGKILL');
  await first.ended();
  const left = statSync(site.logFile).size;
  const leaseEndsAt = performance.now() + 15_000;
  await eventually('the other writes', () => statSync(site.logFile).size > left);
  t.ok(performance.now() < leaseEndsAt, 'nobody waited until the lease was over');
  await writesWith(site, second);
  const count = await stopApplication(application);
  await site.untilRecords(application, 'web', count);
  await endWell(t, second);
  t.same(faults(await site.records(), `web[${application.pid}]`, count), []);
});

t.test(
  'while the writer is suspended nobody writes, the status says why, and it hands over when it goes on',
  async (t) => {
    const site = new LiveSite(t);
    const first = await site.startWorker('--initiate');
    await writesWith(site, first);
    const second = await site.startWorker();
    const application = site.startApplication('web', { burst: 2 });
    await site.untilRecords(application, 'web', 100);
    first.kill('SIGSTOP');
    await eventually('the status tells it', async () =>
      /is suspended; meanwhile lino\.log is not written and records are kept: continue it \(kill -CONT \d+\)/.test(
        (await shell.run(['linod', '--site', site.directory])).stderr,
      ),
    );
    // The others take it for dead when they have not heard of it for long; here the test says it for them.
    const { db } = await site.store();
    await db
      .updateTable('workers')
      .set({ stopped_at: Date.now(), stop_reason: 'taken for dead' })
      .where('id', 'like', `%[${first.pid}]%`)
      .execute();
    await second.printed(
      new RegExp(
        `^WARNING lino\\.log cannot be written: worker \\S+\\[${first.pid}\\]\\S* is suspended and holds its lock: continue it \\(kill -CONT ${first.pid}\\)`,
      ),
    );
    const { size } = statSync(site.logFile);
    t.match(await site.run('linod'), { stderr: /lino\.log cannot be written: worker / }, 'and the status');
    t.equal(statSync(site.logFile).size, size, 'nothing was written');
    first.kill('SIGCONT');
    await writesWith(site, second);
    const count = await stopApplication(application);
    await site.untilRecords(application, 'web', count);
    await endWell(t, second, first);
    t.same(faults(await site.records(), `web[${application.pid}]`, count), []);
  },
);

t.test('while the database is away the log goes on, and with it back still one worker writes', async (t) => {
  const server = await PostgresServer.start(t);
  const site = new LiveSite(t, { databaseUrl: await server.createDatabase() });
  const first = await site.startWorker('--initiate');
  await writesWith(site, first);
  const second = await site.startWorker();
  const application = site.startApplication('web', { burst: 2 });
  await site.untilRecords(application, 'web', 100);
  await server.kill();
  await site.untilRecords(application, 'web', lastMark(application) + 200);
  await server.start();
  // Whatever the first has learnt by then: the lease is given to another.
  await eventually('the lease can be changed', async () => {
    try {
      await server.run(
        `update leases set worker_id = (select id from workers where id like '%[${second.pid}]%'), fence = fence + 1 where name like 'log%'`,
        new URL(site.databaseUrl).pathname.slice(1),
      );
      return true;
    } catch {
      return false;
    }
  });
  await writesWith(site, second);
  await site.untilRecords(application, 'web', lastMark(application) + 200);
  const count = await stopApplication(application);
  await site.untilRecords(application, 'web', count);
  await endWell(t, first, second);
  t.same(faults(await site.records(), `web[${application.pid}]`, count), []);
});

t.test('a lock whose file was removed is made anew before the next write', async (t) => {
  const site = new LiveSite(t);
  const worker = await site.startWorker('--initiate');
  await writesWith(site, worker);
  renameSync(site.path('log/writer.lock'), site.path('log/writer.lock.old'));
  const application = site.startApplication('web', { count: 200 });
  await site.untilRecords(application, 'web', 200);
  t.ok(statSync(site.path('log/writer.lock')).isFile());
  await endWell(t, worker);
});
