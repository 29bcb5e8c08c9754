// Two workers on one channel share the work, and either can do without the other.

import t from 'tap';
import type { Job } from '../../src/runs/job.js';
import { faults, LiveSite, lastMark, marks, onBothLayers, stopApplication } from '../support/live-site.js';
import { eventually, type Program } from '../support/programs.js';

const files = {
  'procedures/work.ts': `import { type BaseRequest, scheduleOften } from 'linod';
for (const name of ['ants', 'bees', 'cats', 'dogs']) {
  scheduleOften({ name, every: 1 }, async function work(ar: BaseRequest) {
    ar.info(\`\${name} at work\`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  });
}
`,
};

onBothLayers(
  'two workers never do the same thing, and one takes over from the other',
  async (t, { config }) => {
    const site = new LiveSite(t, { ...config, files, maxJobs: 2 });
    const workers = await Promise.all([site.startWorker(), site.startWorker()]);
    t.match(await site.initiate(), { code: 0 });
    const { db } = await site.store();
    const writer = async () => {
      const lease = await db
        .selectFrom('leases')
        .innerJoin('workers', 'workers.id', 'leases.worker_id')
        .select(['workers.pid', 'leases.fence'])
        .where('name', '=', 'log')
        .executeTakeFirst();
      return lease ?? { pid: 0, fence: 0 };
    };

    const names = ['web', 'api'];
    const applications = names.map((name) => ({ name, program: site.startApplication(name) }));
    for (const { name, program } of applications) await site.untilRecords(program, name, 500);
    const living = JSON.parse(await site.linod('workers', '--json')) as Array<{ pid: number }>;
    t.same(new Set(living.map(({ pid }) => pid)), new Set(workers.map(({ pid }) => pid)));

    // Both have followed the order before the one that writes is killed.
    await eventually('both workers run rules', async () => {
      const ran = await db.selectFrom('jobs').select('worker_id').distinct().execute();
      return ran.length === 2;
    });
    const { pid, fence } = await writer();
    const [victim, survivor] = workers[0].pid === pid ? workers : [workers[1], workers[0]];
    t.equal(victim.pid, pid, 'the log is written by one of them');
    victim.kill('SIGKILL');
    await victim.ended();
    const killedAt = Math.max(...applications.map(({ program }) => lastMark(program)));
    await eventually('the other one writes the log', async () => (await writer()).pid === survivor.pid);
    t.equal((await writer()).fence, fence + 1);
    for (const { name, program } of applications) {
      await marks(program, 1);
      await site.untilRecords(program, name, killedAt + 1000);
    }
    const table = await site.linod('workers');
    t.match(table, /^worker +pid +channels +started +heartbeat +version +listeners\n/);
    t.match(table, new RegExp(`\\[${survivor.pid}\\]@`));
    t.notMatch(table, new RegExp(`\\[${victim.pid}\\]@`));

    const counts = await Promise.all(
      applications.map(async (application) => ({
        ...application,
        count: await stopApplication(application.program),
      })),
    );
    for (const { name, program, count } of counts) await site.untilRecords(program, name, count);
    await site.untilJobs('ants', 'they go on', (jobs) => jobs.slice(-1).some(by(survivor)));
    survivor.kill('SIGTERM');
    t.match(await survivor.ended(), { code: 0 });

    const records = await site.records();
    for (const { name, program, count } of counts) {
      t.same(faults(records, `${name}[${program.pid}]`, count), []);
    }
    const jobs = await db.selectFrom('jobs').select(['rule_id', 'due_at', 'status']).execute();
    t.equal(new Set(jobs.map((job) => `${job.rule_id} ${job.due_at}`)).size, jobs.length, 'a job a due time');
    t.ok(
      jobs.every(({ status }) => status === 'done' || status === 'lost'),
      'and each has ended',
    );
    const told = records.flatMap(
      ({ text }) => /^\w+ at work \{"rule":\d+,"job":(\d+)\}/.exec(text)?.[1] ?? [],
    );
    t.equal(new Set(told).size, told.length, 'nothing ran twice');
    // What a process that is killed said in its last 50 ms may be lost.
    const lastDue = Math.max(...(await site.jobs()).filter(by(victim)).map(dueAt));
    const heard = (await site.jobs()).filter((job) => by(survivor)(job) || dueAt(job) < lastDue);
    const unheard = heard.filter(({ id, status }) => status === 'done' && !told.includes(String(id)));
    t.same(unheard, [], 'what each run logged is there');
  },
);

onBothLayers('a worker that is stopped hands the log over, and the other goes on', async (t, { config }) => {
  const site = new LiveSite(t, { ...config, files });
  const first = await site.startWorker('--initiate');
  await site.logged(/listens on/);
  const second = await site.startWorker();
  const application = site.startApplication('web');
  await site.untilRecords(application, 'web', 500);
  first.kill('SIGTERM');
  t.match(await first.ended(), { code: 0 });
  await site.untilRecords(application, 'web', lastMark(application) + 1000);
  const count = await stopApplication(application);
  await site.untilRecords(application, 'web', count);
  second.kill('SIGTERM');
  t.match(await second.ended(), { code: 0 });
  t.same(faults(await site.records(), `web[${application.pid}]`, count), []);
  t.match(await site.run('linod', 'workers'), { code: 0, stdout: '', stderr: /^no worker is running: / });
});

function by({ pid }: Program): (job: Job) => boolean {
  return ({ workerId }) => workerId.includes(`[${pid}]`);
}

function dueAt(job: Job): number {
  return job.dueAt?.getTime() ?? 0;
}

t.test('of two versions side by side each runs what it has, also when the old one starts last', async (t) => {
  const site = new LiveSite(t, {
    files: {
      'procedures/work.ts': `import { scheduleOften } from 'linod';
scheduleOften({ name: process.env.RELEASE + '_work', every: 1 }, () => undefined);
`,
    },
  });
  const start = async (release: string) => {
    site.environment = { RELEASE: release };
    return await site.startWorker('--initiate');
  };
  const workers = [await start('old'), await start('new')];
  workers[0]?.kill('SIGTERM');
  await workers[0]?.ended();
  await start('old');
  const { length } = await site.jobs('new_work');
  await site.untilJobs('new_work', 'it goes on', (jobs) => jobs.length > length + 1);
  await site.untilJobs('old_work', 'it runs', (jobs) => jobs.some(({ status }) => status === 'done'));
  t.match(await site.linod('rules', 'sync'), /^/, 'a command that has one of the versions');
  const { stdout } = await site.run('linod');
  t.equal(stdout.match(/ next run at: /g)?.length, 2);
  t.match(await site.linod('rule', 'new_work', 'run', '--wait'), /^job \d+ done/);

  workers[1]?.kill('SIGTERM');
  await workers[1]?.ended();
  t.match(await site.run('linod'), { stdout: /new_work .*; no running worker has procedure new_work$/m });
  t.match(await site.linod('rules', 'sync'), /^removed new_work$/m);
});
