// The commands that read the log, as processes of their own.

import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { scriptPath } from '../support/programs.js';
import { writeRealLog } from '../support/real-log.js';
import { until } from '../support/until.js';

const files = {
  'procedures/garden.ts': `import { type BaseRequest, scheduleDaily } from 'linod';
scheduleDaily(async function water_plants(ar: BaseRequest) {
  ar.info('the plants have been watered', { cans: 2 });
});
`,
};

function siteWithLog(site: LiveSite): ReturnType<typeof writeRealLog> {
  mkdirSync(dirname(site.logFile), { recursive: true });
  return writeRealLog(dirname(site.logFile));
}

t.test('Ctrl-C ends linod log tail -f with 130, and what is added is printed until then', async (t) => {
  const site = new LiveSite(t);
  await siteWithLog(site);
  const tail = site.start('linod', 'log', 'tail', '-f', '-n', '1', '--sender', 'mail');
  await tail.printed(/ mail\[77\]#30 /);
  const record = (number: number) =>
    readFileSync(site.logFile, 'utf8').split('\n').at(-3)?.replace('#30 ', `#${number} `);
  appendFileSync(site.logFile, `${record(31)}\n    b\n`);
  await tail.printed(/ mail\[77\]#31 /);
  tail.kill('SIGINT');
  t.match(await tail.ended(), { code: 130, signal: null, stderr: '' });
});

t.test('linod log tail takes 0 for none of the last records, and no other text than a number', async (t) => {
  const site = new LiveSite(t);
  const { current } = await siteWithLog(site);
  t.match(await site.run('linod', 'log', 'tail', '-n', '0'), { code: 0, stdout: '', stderr: '' });
  t.match(await site.run('linod', 'log', 'tail', '-n', 'x'), {
    code: 2,
    stderr: /^linod: expected -n to be a whole number, got: "x"\n/,
  });
  const tail = site.start('linod', 'log', 'tail', '-n', '0', '-f');
  await until('what is added is printed', () => {
    appendFileSync(current, readFileSync(current, 'utf8').split('\n').slice(-3).join('\n'));
    return tail.lines.length > 0;
  });
  tail.kill('SIGINT');
  const { code, stdout } = await tail.ended();
  t.equal(code, 130);
  t.notMatch(stdout, /#29 /);
});

t.test('a reader that leaves ends linod log tail quietly', async (t) => {
  const site = new LiveSite(t);
  const { current } = await siteWithLog(site);
  writeFileSync(current, readFileSync(current, 'utf8').repeat(2000));
  const command = `${process.execPath} ${scriptPath('linod')} log tail -n 100000 2>errors | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const { stdout } = spawnSync('bash', ['-c', command], { cwd: site.directory, encoding: 'utf8' });
  t.match(stdout, /^\d{4}-.*\n0\n$/);
  t.equal(readFileSync(site.path('errors'), 'utf8'), '');
  const followed = site.start('linod', 'log', 'tail', '-f', '-n', '1');
  await followed.printed(/ mail\[77\]#30 /);
  followed.hangUp();
  await until('it has noticed', () => {
    appendFileSync(current, readFileSync(current).subarray(-200));
    return !followed.isRunning;
  });
  t.match(await followed.ended(), { code: 0 });
});

t.test('a disk that is full where the output goes is told, with 1', async (t) => {
  const site = new LiveSite(t);
  await siteWithLog(site);
  const command = `${process.execPath} ${scriptPath('linod')} log tail > /dev/full`;
  const { status, stderr } = spawnSync('bash', ['-c', command], { cwd: site.directory, encoding: 'utf8' });
  t.equal(status, 1);
  t.match(stderr, /^linod: cannot write the output: ENOSPC\b.*\n$/);
});

t.test('linod log verify ends with 3 where something is wrong, and says where', async (t) => {
  const site = new LiveSite(t);
  const { current } = await siteWithLog(site);
  const sound = await site.run('linod', 'log', 'verify');
  t.match(sound, { code: 0, stderr: /^3 files, 60 records of 2 senders, \d+ bytes: the log is complete\n$/ });
  t.match(
    sound.stdout,
    /^sender +epoch +first +last +records +missing +doubled +out of order +lost\nweb\[812\] /,
  );
  const [begin = '', positions = ''] = readFileSync(current, 'utf8').split(/(?<=\n)/);
  writeFileSync(site.path('begin.log'), begin + positions);
  t.match(
    (await site.run('linod', 'log', 'verify', 'begin.log')).stdout,
    /\nweb\[812\] +\S+ +- +- +0 /,
    'a sender of which no record is there has no first one',
  );
  writeFileSync(current, readFileSync(current, 'utf8').replace(/^.* web\[812\]#23 .*\n.*\n/m, ''));
  const damaged = await site.run('linod', 'log', 'verify');
  t.match(damaged, { code: 3, stderr: /: 2 faults\n$/ });
  t.match(
    damaged.stdout,
    /\nlog\/lino\.log:8: web\[812\]#23 is missing before this line\nlog\/lino\.log:\d+: text that the writer wrote is missing: 65 bytes of this file\n$/,
  );
  rmSync(current);
  const removed = await site.run('linod', 'log', 'verify');
  t.match(removed, { code: 3, stderr: /^2 files, 40 records of 2 senders, \d+ bytes: 3 faults\n$/ });
  t.match(removed.stdout, /\nlog\/lino\.log:1: 10 records, web\[812\]#21-30, are missing before this line\n/);
  t.match(await site.run('linod', 'log', 'verify', 'log/lino.log.2.gz'), { code: 0 });
  writeFileSync(site.path('log/lino.log.2'), gunzipSync(readFileSync(site.path('log/lino.log.2.gz'))));
  t.match(await site.run('linod', 'log', 'verify', 'log/lino.log.2', 'log/lino.log.2.gz'), {
    code: 0,
    stderr: /^log\/lino\.log\.2\.gz was not read: it is the compressed copy of another file\n1 file, /,
  });
});

t.test('linod log tail --job has what a job logged, in lino.log and with its rule', async (t) => {
  const site = new LiveSite(t, { files });
  const worker = await site.startWorker('--initiate');
  for (const _ of [1, 2]) await site.linod('rule', '1', 'run', '--wait');
  await site.logged(/job 2\b|the plants have been watered.*"job":2/);
  worker.kill('SIGTERM');
  await worker.ended();
  const records = (await site.linod('log', 'tail', '--job', '2', '--json')).trim().split('\n');
  const watered = records
    .map((line) => JSON.parse(line))
    .filter(({ logger }) => logger === 'procedures.water_plants');
  const message = 'the plants have been watered';
  t.match(watered, [{ level: 'INFO', message, fields: { rule: 1, job: 2, cans: 2 } }]);
  t.notMatch(records.join('\n'), /"job":1\b/);
  t.match(await site.run('linod', 'log', 'verify'), { code: 0, stderr: /the log is complete/ });
});
