// What a process meets in the log's directory that is not what it should be: it neither ends nor hangs because of that.

import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { faults, LiveSite, marks, stopApplication } from '../support/live-site.js';
import { logModuleUrl, Program } from '../support/programs.js';

/** Logs, and ends when it is told to. */
const late = `import { createInterface } from 'node:readline';
import { createLogger } from '${logModuleUrl}';

const logger = createLogger({ site: import.meta.dirname, name: 'late' });
for (let n = 1; n <= 1000; n++) logger.info('record ' + n);
createInterface(process.stdin).on('line', () => process.stdin.destroy());
`;

const obstacles: ReadonlyArray<readonly [what: string, hinder: (path: string) => void]> = [
  ['a link to itself', (path) => symlinkSync(path, path)],
  ['a file', (path) => writeFileSync(path, '')],
];

for (const [what, hinder] of obstacles) {
  t.test(`while the log directory is ${what}, its processes go on, and lose nothing`, async (t) => {
    const site = new LiveSite(t);
    const worker = await site.startWorker('--initiate');
    const application = site.startApplication('web', { burst: 2 });
    await site.untilRecords(application, 'web', 100);
    renameSync(site.path('log'), site.path('away'));
    hinder(site.path('log'));
    await worker.printed(/^ERROR lino\.log cannot be written, records are kept: /);
    // One that begins now has no spool.
    site.write({ 'late.mjs': late });
    const second = Program.start(t, site.path('late.mjs'));
    await second.printed(/LinodLogWarning: records cannot be written to the spool /);
    // Longer than each of the pauses after which something is looked at again.
    await marks(application, 100);
    t.ok(worker.isRunning && application.isRunning && second.isRunning);
    rmSync(site.path('log'));
    renameSync(site.path('away'), site.path('log'));
    await worker.printed(/^WARNING lino\.log can be written again/);
    const count = await stopApplication(application);
    second.tell('stop');
    t.match(await second.ended(), { code: 0 });
    await site.untilRecords(application, 'web', count);
    await site.untilRecords(second, 'late', 1000);
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
    const records = await site.records();
    t.same(faults(records, `web[${application.pid}]`, count), []);
    t.same(faults(records, `late[${second.pid}]`, 1000), []);
  });
}

t.test('a pipe in the place of any file of the log keeps no process from its work or its end', async (t) => {
  const site = new LiveSite(t);
  mkdirSync(site.path('log/spool'), { recursive: true });
  for (const name of ['spool/web-1.e1.1.spool', 'levels.json', 'writer.checkpoint', 'writer.lock.owner'])
    execFileSync('mkfifo', [site.path(`log/${name}`)]);
  const worker = await site.startWorker('--initiate');
  const application = site.startApplication('web', { count: 1000 });
  await site.untilRecords(application, 'web', 1000);
  t.match(await application.ended(), { code: 0 });
  await site.logged(/^spool file .*web-1\.e1\.1\.spool cannot be read: it is not a regular file/);
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
});
