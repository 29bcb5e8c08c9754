// kill -9 of the worker and of a sender, under load.

import { faults, LiveSite, lastMark, marks, onBothLayers, stopApplication } from '../support/live-site.js';

const files = {
  'procedures/work.ts': `import { type BaseRequest, scheduleOften } from 'linod';
scheduleOften({ every: 1 }, async function read_encyclopedia(ar: BaseRequest) {
  ar.progress(1, 24, 'volume A');
  await new Promise((resolve) => ar.signal.addEventListener('abort', resolve));
});
scheduleOften({ every: 1 }, async function breathe(ar: BaseRequest) {
  ar.info('a breath', { at: ar.now() });
});
`,
};

onBothLayers(
  'a worker killed under load loses no record, doubles none, and goes on when restarted',
  async (t, { config }) => {
    const site = new LiveSite(t, { ...config, files, graceSeconds: 0 });
    let worker = await site.startWorker();
    t.match(await site.initiate(), { code: 0 });
    const [victim, ...others] = ['victim', 'web', 'api', 'import'].map((name) => ({
      name,
      // 50 ms count for a sender whose buffer is not full before. The others are busy, and leave some time to the worker.
      program: site.startApplication(name, { burst: name === 'victim' ? 1 : 5 }),
    }));
    if (victim === undefined) throw new Error('unreachable: there are four');
    await Promise.all([...others, victim].map(({ name, program }) => site.untilRecords(program, name, 500)));

    await site.untilJobs('read_encyclopedia', 'it is running', (jobs) => jobs.some(isRunning));
    worker.kill('SIGKILL');
    t.match(await worker.ended(), { signal: 'SIGKILL' });
    const whileDead = await marks(victim.program, 3);
    victim.program.kill('SIGKILL');
    await victim.program.ended();
    const safe = lastMark(victim.program);
    t.ok(safe >= whileDead && whileDead > 500, `the victim logged ${safe} records in time`);

    // A second time while records of the first are still coming in.
    worker = await site.startWorker();
    t.match(worker.lines.join('\n'), /started +log\.server, run\.system\.tasks/, 'the order is remembered');
    await Promise.all(others.map(({ name, program }) => site.untilRecords(program, name, 1000)));
    await site.untilJobs(
      'read_encyclopedia',
      'a second is running',
      (jobs) => jobs.filter(isRunning).length === 1 && jobs.some(isLost),
    );
    worker.kill('SIGKILL');
    await worker.ended();
    worker = await site.startWorker();

    const counts = await Promise.all(
      others.map(async ({ name, program }) => ({ name, program, count: await stopApplication(program) })),
    );
    for (const { name, program, count } of counts) await site.untilRecords(program, name, count);
    await site.untilRecords(victim.program, victim.name, safe);
    const jobs = await site.untilJobs(
      'read_encyclopedia',
      'it runs again',
      (all) => all.filter(isLost).length === 2 && all.some(isRunning),
    );
    t.match(jobs[0], {
      status: 'lost',
      message: /^worker .* ended meanwhile: its process \d+ is gone/,
    });

    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
    const records = await site.records();
    for (const { name, program, count } of counts) {
      t.ok(count > 1000, `${name} logged ${count} records`);
      t.same(faults(records, `${name}[${program.pid}]`, count), []);
    }
    t.same(faults(records, `victim[${victim.program.pid}]`, safe), []);
  },
);

function isRunning({ status }: { status: string }): boolean {
  return status === 'running';
}

function isLost({ status }: { status: string }): boolean {
  return status === 'lost';
}
