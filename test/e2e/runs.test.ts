// Runs in processes of their own, under a worker that really runs.

import { symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

const work = `import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { type BaseRequest, schedule } from 'linod';
schedule('@yearly', { runIn: 'process' }, async function count_stars(ar: BaseRequest) {
  ar.info('the first star');
  ar.progress(1, 2, 'stars');
  while (!existsSync(ar.site.directory + '/go')) await setTimeout(20);
  ar.info('the second star');
  ar.progress(2, 2, 'stars');
});
schedule('@yearly', { runIn: 'process' }, async function run_in_circles(ar: BaseRequest) {
  ar.info('circling in ' + process.pid);
  for (;;);
});
schedule('@yearly', { runIn: 'thread', onFailure: 'continue' }, function give_up(ar: BaseRequest) {
  ar.info('this is enough');
  process.exit(3);
});
`;

function isGone(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

t.test('a run is followed to its end, in its own words; how it ended is the exit code', async (t) => {
  const site = new LiveSite(t, { files: { 'procedures/work.ts': work } });
  await site.startWorker('--initiate');
  await site.linod('rule', '1', 'run');
  await site.untilJobs('count_stars', 'it runs', (jobs) => jobs.length === 1);
  const followed = site.start('linod', 'job', '1', '--follow');
  await followed.printed((line) => line.includes('progress 1 of 2 (50 %) stars'));
  site.write({ go: '' });
  const { code, stdout } = await followed.ended();
  t.equal(code, 0);
  t.match(stdout, /^Job 1 of rule #1 <Procedures\.count_stars>: running\n/);
  t.match(stdout, / {2}worker {3}\S.*, in a process of its own\n/);
  t.match(
    stdout,
    /INFO the first star\n[\s\S]*INFO the second star\n[\s\S]*progress 2 of 2 \(100 %\) stars\n/,
  );
  t.match(stdout, /\njob 1 is done\n {2}ended .*\n {2}used .* of a processor, at most \d+ MiB of memory\n/);
  t.ok((await site.currentRecords()).some((record) => record.text.startsWith('the second star')));

  await site.linod('rule', '3', 'run');
  await site.untilJobs('give_up', 'it ended', (jobs) => jobs.some((job) => job.status === 'failed'));
  t.match(await site.run('linod', 'job', '2', '--follow'), {
    code: 1,
    stdout:
      /job 2 is failed\n[\s\S]* {2}cause {4}exit 3\n {2}message {2}its thread ended by itself with exit code 3\n {11}the last that it logged:\n {15}INFO this is enough\n/,
  });
  t.match(JSON.parse(await site.linod('job', '2', '--json')), {
    cause: 'exit 3',
    runIn: 'thread',
    attempt: 1,
  });
});

t.test('a process ends when its worker is killed, also in the middle of a loop without end', async (t) => {
  const site = new LiveSite(t, { files: { 'procedures/work.ts': work } });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', '2', 'run');
  const { text } = await site.logged(/^circling in \d+/);
  const pid = Number(/\d+/.exec(text)?.[0]);
  t.notOk(isGone(pid));
  worker.kill('SIGKILL');
  await eventually('its process is gone', () => isGone(pid));
  t.match(await site.run('linod'), { code: 3, stderr: /^no worker is running: /m });
  t.match(await site.jobs('run_in_circles'), [{ status: 'lost' }]);
});

for (const [how, rest] of [
  ['waits', 'await new Promise(() => setInterval(() => undefined, 1000));'],
  ['never lets its event loop turn', 'while (true);'],
] as const) {
  t.test(`what a run that ${how} has detached ends when its worker is killed`, async (t) => {
    const site = new LiveSite(t, {
      files: {
        'procedures/work.ts': `import { spawn } from 'node:child_process';
import { schedule } from 'linod';
schedule('@yearly', { runIn: 'process' }, async function plant_trees(ar) {
  const apart = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
  apart.unref();
  ar.info('planted ' + apart.pid);
  await new Promise((resolve) => setTimeout(resolve, 50));
  ${rest}
});
`,
      },
    });
    const worker = await site.startWorker('--initiate');
    await site.linod('rule', '1', 'run');
    const { text } = await site.logged(/^planted \d+/);
    const pid = Number(/\d+/.exec(text)?.[0]);
    t.notOk(isGone(pid));
    worker.kill('SIGKILL');
    await worker.ended();
    await site.run('linod');
    t.match(await site.jobs('plant_trees'), [{ status: 'lost' }]);
    await eventually('its child is gone', () => isGone(pid));
  });
}

t.test('a worker that is told to stop ends the processes of its runs', async (t) => {
  const site = new LiveSite(t, { files: { 'procedures/work.ts': work }, graceSeconds: 0.2 });
  const worker = await site.startWorker('--initiate');
  await site.linod('rule', '2', 'run');
  const { text } = await site.logged(/^circling in \d+/);
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
  t.ok(isGone(Number(/\d+/.exec(text)?.[0])));
  t.match(await site.jobs('run_in_circles'), [
    { status: 'lost', cause: 'blocked: its event loop stood still' },
  ]);
});

t.test(
  'what a package registers that imports linod itself is there in threads and processes, too',
  async (t) => {
    const stars = `import { schedule } from 'linod';
for (const runIn of ['thread', 'process']) {
  schedule('@yearly', { name: 'count_in_a_' + runIn, runIn, memoryMb: 200 }, (ar) => ar.info('counted in a ' + runIn));
}
`;
    const site = new LiveSite(t, {
      files: {
        'node_modules/stars/package.json': '{ "name": "stars", "type": "module", "exports": "./stars.js" }',
        'node_modules/stars/stars.js': stars,
        'procedures/work.ts': `import 'stars';\n`,
      },
    });
    symlinkSync(fileURLToPath(new URL('../..', import.meta.url)), site.path('node_modules/linod'));
    await site.startWorker('--initiate');
    for (const [rule, runIn] of [
      ['1', 'thread'],
      ['2', 'process'],
    ] as const) {
      await site.linod('rule', rule, 'run');
      await site.untilJobs(`count_in_a_${runIn}`, 'it is done', (jobs) =>
        jobs.some(({ status }) => status === 'done'),
      );
      t.ok(await site.logged(new RegExp(`^counted in a ${runIn}`)));
    }
  },
);
