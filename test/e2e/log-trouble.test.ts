// What can happen to the log's directory and its disk, and to those who log then.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import { faults, LiveSite, marks, onBothLayers, stopApplication } from '../support/live-site.js';
import { eventually, logModuleUrl, Program } from '../support/programs.js';

t.test('the log directory is removed under the worker and comes back with all records', async (t) => {
  const site = new LiveSite(t);
  const worker = await site.startWorker('--initiate');
  const application = site.startApplication('web');
  await site.untilRecords(application, 'web', 500);
  // Out of the way first: a file that the worker made while the directory was being emptied would keep it.
  renameSync(site.path('log'), site.path('removed'));
  rmSync(site.path('removed'), { recursive: true });
  // The first mark may tell of a record from before, and the write in hand may go to the removed file.
  const removedAt = await marks(application, 3);
  await site.untilRecords(application, 'web', removedAt + 500);
  const count = await stopApplication(application);
  await site.untilRecords(application, 'web', count);
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
  const records = await site.records();
  t.match(records[0]?.text, /^the log (begins|continues in a new file)/);
  const own = records.filter(({ sender }) => sender === `web[${application.pid}]`);
  const [first] = own;
  t.ok((first?.number ?? 0) <= removedAt, 'only what stood in the removed file is gone');
  t.same(
    own.map(({ number }) => number),
    Array.from({ length: own.length }, (_, i) => (first?.number ?? 0) + i),
    'each of the others is there once and in order',
  );
});

const canMount = process.getuid?.() === 0 && process.platform === 'linux';

t.test(
  'a full disk stops nobody, and the records arrive when there is space again',
  { skip: canMount ? false : 'mounting a small disk needs root on Linux' },
  async (t) => {
    const site = new LiveSite(t);
    mountSmallDisk(t, site.path('log'));
    const worker = await site.startWorker('--initiate');
    const application = site.startApplication('web');
    // The application's spool fills the disk as well, on a busy machine before the log has grown.
    await worker.printed(/^ERROR lino\.log cannot be written, records are kept: ENOSPC/);
    await marks(application, 3);
    t.ok(worker.isRunning && application.isRunning);
    t.match(await site.initiate(), { code: 0 }, 'the worker still answers');
    t.match(await site.run('linod', 'status'), {
      code: 3,
      stderr:
        /^lino\.log cannot be written: ENOSPC.*\nthe disk of \S+\/log is full: \d+ MiB are free, and 16 are needed\n/m,
    });

    execFileSync('mount', ['-o', 'remount,size=64m', site.path('log')]);
    await worker.printed(/^WARNING lino\.log can be written again/);
    const count = await stopApplication(application);
    await site.untilRecords(application, 'web', count);
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
    t.match(application.lines.join('\n'), /LinodLogWarning: records cannot be written to the spool .*ENOSPC/);
    const records = await site.records();
    t.same(faults(records, `web[${application.pid}]`, count), []);
    t.ok(
      records.some(({ text }) => /the log cannot be written: .*ENOSPC/.test(text)),
      'the log tells it, too',
    );
  },
);

onBothLayers(
  'nobody listens: applications log and end, and a later worker brings all in',
  async (t, { config }) => {
    const site = new LiveSite(t, config);
    const applications = ['web', 'api'].map((name) => ({
      name,
      program: site.startApplication(name, { count: 3000 }),
    }));
    for (const { program } of applications) {
      t.match(await program.ended(), { code: 0, stdout: /^logged 3000$/m, stderr: /^$/ });
    }
    site.write({
      'flush.mjs': `import { createLogger } from '${logModuleUrl}';
const logger = createLogger({ site: import.meta.dirname, name: 'flush' });
logger.info('record 1');
await logger.flush();
console.log('flushed');
process.kill(process.pid, 'SIGKILL');
`,
    });
    const flushed = Program.start(t, site.path('flush.mjs'));
    t.match(await flushed.ended(), { signal: 'SIGKILL', stdout: 'flushed\n' });
    t.notOk(existsSync(site.logFile));

    const worker = await site.startWorker('--initiate');
    for (const { name, program } of applications) await site.untilRecords(program, name, 3000);
    await site.untilRecords(flushed, 'flush', 1);
    await eventually('the spool is empty', () => readdirSync(site.path('log/spool')).length === 0);
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
    const records = await site.records();
    for (const { name, program } of applications)
      t.same(faults(records, `${name}[${program.pid}]`, 3000), []);
    t.same(faults(records, `flush[${flushed.pid}]`, 1), []);
  },
);

t.test(
  'a process that ends while its spool cannot be written says how many records end with it',
  async (t) => {
    const site = new LiveSite(t);
    mkdirSync(site.path('log'), { recursive: true });
    site.write({
      'log/spool': 'no directory',
      'end.mjs': `import { createLogger } from '${logModuleUrl}';
const logger = createLogger({ site: import.meta.dirname, name: 'end' });
for (let i = 0; i < 3; i++) logger.info('record');
logger.debug('unwanted');
`,
    });
    const program = Program.start(t, site.path('end.mjs'));
    t.match(await program.ended(), {
      code: 0,
      stderr: /^linod: 3 records of end\[\d+\] are lost: the process has ended while the spool of /m,
    });
  },
);

function mountSmallDisk(t: Test, path: string): void {
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', path]);
  t.teardown(() => execFileSync('umount', ['--lazy', path]));
}
