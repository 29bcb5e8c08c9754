// The story that the package is made for, in three terminals: a worker, its initiation, an application that logs.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openLayer } from '../../channels/index.js';
import { testDirectory } from '../support/directory.js';
import { faults, LiveSite, onBothLayers } from '../support/live-site.js';
import { Program, scriptPath } from '../support/programs.js';

const files = {
  'procedures/garden.ts': `import { type BaseRequest, scheduleDaily, scheduleOften } from 'linod';
scheduleOften({ every: 1 }, async function water_plants(ar: BaseRequest) {
  ar.info('the plants have been watered', { cans: 2 });
});
scheduleDaily({ hour: 3 }, function count_dragons() {});
`,
};

onBothLayers('the story of three terminals is true', async (t, { config }) => {
  const site = new LiveSite(t, { ...config, files });
  const worker = site.start('runworker', 'linod_test');
  await worker.printed(/^worker .* is listening/);
  t.match(worker.lines.join('\n'), 'nothing yet: waiting for initiate_linod');
  t.same(await site.jobs('water_plants'), [], 'nothing runs before it is told to');

  const initiated = await site.initiate();
  t.equal(initiated.code, 0, initiated.stderr);
  const answers = /^log\.server started in worker (\S+)\nrun\.system\.tasks started in worker (\S+)\n$/;
  const [, first, second] = answers.exec(initiated.stdout) ?? [];
  t.match(first, new RegExp(`\\[${worker.pid}\\]@`), 'it says which worker answered');
  t.equal(first, second);

  const application = site.startApplication('web', { count: 2000 });
  t.match(await application.ended(), { code: 0, stdout: /^logged 2000$/m, stderr: /^$/ });
  await site.untilRecords(application, 'web', 2000);
  const run = await site.logged(/^the plants have been watered/);
  t.match(run.text, /\{"rule":1,"job":\d+,"cans":2\}$/);
  await site.untilJobs('water_plants', 'two are done', (jobs) => jobs.filter(isDone).length >= 2);

  const status = await site.linod();
  t.match(
    status,
    /^Job rule #1 <Procedures\.water_plants every 1 secondly> (running since \S+ \(job \d+\), )?next run at: 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/m,
  );
  t.match(
    status,
    /^Job rule #2 <Procedures\.count_dragons every 1 daily> next run at: 20\d\d-\d\d-\d\dT03:00:00\+00:00$/m,
  );
  t.equal(status.trim().split('\n').length, 2);

  const again = await site.initiate();
  t.match(again.stdout, /^log\.server was already running in worker .*\nrun\.system\.tasks was already/);

  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0, signal: null, stdout: '', stderr: /\nstopped\n$/ });
  const records = await site.records();
  t.same(faults(records, `web[${application.pid}]`, 2000), []);
  t.ok(
    records.some(({ text }) => / stops$/.test(text)),
    "the worker's own last words are there",
  );
  t.ok((await site.jobs('water_plants')).every(isDone), 'no job is left running');
});

t.test(
  'what was ordered first is told as started, though the worker has followed the order already',
  async (t) => {
    const site = new LiveSite(t);
    const layer = await openLayer(`sqlite:${site.path('channels.db')}`);
    t.teardown(() => layer.close());
    const initiated = async (): Promise<string> => {
      const ending = site.initiate();
      for (const coroutine of ['log.server', 'run.system.tasks']) {
        const { reply_channel: reply } = await layer.receive(site.channel);
        const answer = { type: 'linod.started', coroutine, already: true, worker: 'w' };
        await layer.send(String(reply), answer);
      }
      return (await ending).stdout;
    };
    t.equal(await initiated(), 'log.server started in worker w\nrun.system.tasks started in worker w\n');
    t.equal(
      await initiated(),
      'log.server was already running in worker w\nrun.system.tasks was already running in worker w\n',
    );
  },
);

t.test('a new site works as it comes out of linod init', async (t) => {
  const parent = testDirectory(t);
  const run = (script: Parameters<typeof scriptPath>[0], ...args: string[]) =>
    Program.start(t, scriptPath(script), args, { cwd: parent });

  const made = await run('linod', 'init', 'mysite').ended();
  t.equal(made.code, 0);
  t.same(made.stdout.split('\n').sort(), [
    '',
    'mysite/.gitignore',
    'mysite/linod.config.ts',
    'mysite/log/',
    'mysite/procedures/hello.ts',
  ]);
  const shown = made.stderr.split('\n').flatMap((line) => /^ {2}\$ (.*?)(?: {2}.*)?$/.exec(line)?.[1] ?? []);
  t.strictSame(shown, ['cd mysite', 'npx linod start', 'npx runworker linod_mysite', 'npx initiate_linod']);

  writeFileSync(
    join(parent, 'mysite/procedures/hello.ts'),
    `import { type BaseRequest, scheduleOften } from 'linod';
scheduleOften(async function hello(ar: BaseRequest) {
  ar.info(\`hello from \${ar.site.name}\`);
});
`,
  );
  const inner = await run('linod', 'init', 'mysite/inner').ended();
  t.match(inner, {
    code: 0,
    stderr: `WARNING ${join(parent, 'mysite/inner')} lies in the site ${join(parent, 'mysite')};`,
  });

  const worker = run('linod', 'start', '--site', 'mysite');
  await worker.printed(/is listening/);
  const ran = await run('linod', '--site', 'mysite', 'rule', 'hello', 'run', '--wait').ended();
  t.match(ran, { code: 0, stdout: /^job \d+ done: done in/ });
  const procedures = await run('linod', 'procedures', '--site', 'mysite').ended();
  const [head = '', ...listed] = procedures.stdout.trim().split('\n');
  t.match(head, /^name +when +registered at/);
  t.equal(listed.length, 8 + 1, 'eight ship, one is the example');
  t.match(listed.at(-1), /^hello +every 10 seconds +procedures\/hello\.ts:2$/);
  worker.kill('SIGINT');
  t.match(await worker.ended(), { code: 0 });
  const tail = await run('linod', 'log', 'tail', '--site', 'mysite').ended();
  t.match(tail.stdout, /hello\S*: hello from mysite/);
});

function isDone({ status }: { status: string }): boolean {
  return status === 'done';
}
