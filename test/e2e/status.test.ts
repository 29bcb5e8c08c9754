// The status of a whole site: its exit code tells a monitor what it tells a person.

import { mkdirSync, rmdirSync } from 'node:fs';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

const files = {
  'procedures/garden.ts': `import { scheduleDaily } from 'linod';
scheduleDaily(function water_plants() {});
scheduleDaily({ onFailure: 'continue' }, function feed_dragon() {
  throw new Error('there is no dragon');
});
`,
};

/** Waits until the exit code of the status is this. @returns what it said */
async function untilStatus(site: LiveSite, code: number): Promise<string> {
  let said = '';
  await eventually(`the status ends with ${code}`, async () => {
    const ended = await site.run('linod', 'status');
    said = ended.stderr;
    return ended.code === code;
  });
  return said;
}

t.test(
  'the status ends with 3 while no worker runs or its coroutines are off, and with 0 then',
  async (t) => {
    const site = new LiveSite(t, { files });
    const ended = await site.run('linod', '--json');
    t.equal(ended.code, 3);
    t.match(JSON.parse(ended.stdout), {
      problems: [{ code: 'no-worker', text: 'no worker is running: runworker linod_test' }],
    });
    const worker = await site.startWorker();
    t.match(await site.run('linod', 'status'), {
      code: 3,
      stderr:
        /^the task coroutine was never started: initiate_linod\n(.*\n)*.*the logger coroutine was never started/m,
    });
    t.match(await site.initiate(), { code: 0 });
    t.match(await site.run('linod', 'status'), { code: 0, stderr: /^worker .*\n$/ });

    worker.kill('SIGSTOP');
    t.match(await untilStatus(site, 3), /^worker \S+ is suspended; meanwhile lino\.log is not written/m);
    worker.kill('SIGCONT');
    await untilStatus(site, 0);
    worker.kill('SIGKILL');
    await worker.ended();
    t.match(await site.run('linod'), { code: 3, stderr: 'no worker is running: runworker linod_test\n' });
  },
);

t.test('the status ends with 3 while lino.log cannot be written', async (t) => {
  const site = new LiveSite(t, { files });
  mkdirSync(site.path('log/lino.log'), { recursive: true });
  await site.startWorker('--initiate');
  t.match(await untilStatus(site, 3), /^lino\.log cannot be written: /m);
  rmdirSync(site.path('log/lino.log'));
  await untilStatus(site, 0);
});

t.test('the status tells what failed in the last 24 hours, a line a rule', async (t) => {
  const site = new LiveSite(t, { files });
  await site.startWorker('--initiate');
  await site.linod('rule', '1', 'run', '--wait');
  for (let i = 0; i < 3; i++) t.match(await site.run('linod', 'rule', '2', 'run', '--wait'), { code: 1 });
  // The first of them was the day before.
  const { db } = await site.store();
  await db
    .updateTable('jobs')
    .set({ start_datetime: Date.now() - 25 * 3_600_000 })
    .where('id', '=', 2)
    .execute();
  t.match(await site.run('linod'), {
    code: 0,
    stderr:
      /^failed: rule #2 <Procedures\.feed_dragon> 2 times, last as job 4 at 20\S+, failed: Error: there is no dragon$/m,
  });
  const { failures } = JSON.parse(await site.linod('status', '--json'));
  t.match(failures, [{ times: 2, last: { id: 4, status: 'failed' } }]);

  const jobs = async (...status: string[]) =>
    JSON.parse(await site.linod('jobs', '--json', '--status', ...status));
  t.match(await jobs('failed', 'done'), [{ id: 4 }, { id: 3 }, { id: 2 }, { id: 1 }]);
  t.match(await jobs('done', 'lost'), [{ id: 1 }]);
});
