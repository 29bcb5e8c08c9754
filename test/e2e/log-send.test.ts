// linod log send: the output of any program in the log.

import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import { faults, LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

/** Waits until a sender has records in the spool. */
async function reads(site: LiveSite, name: string): Promise<void> {
  const spool = site.path('log/spool');
  await eventually(
    'it reads',
    () => existsSync(spool) && readdirSync(spool).some((file) => file.startsWith(name)),
  );
}

t.test('what programs print arrives, with and without a worker', async (t) => {
  const site = new LiveSite(t);
  const send = (...args: readonly string[]) => site.start('linod', 'log', 'send', ...args);
  const spooled = send('--name', 'early');
  spooled.endInput('before there is a worker\n');
  t.match(await spooled.ended(), { code: 0, stdout: '', stderr: /^1 record waits in the spool/ });
  const worker = await site.startWorker('--initiate');
  await site.logged(/^before there is a worker$/);

  const nightly = send('--name', 'nightly', '--logger', 'shop.nightly', '--detect-level');
  nightly.endInput('ERROR: disk full\n    at line 3\n\x1b[31mred\nDEBUG hidden\nno newline');
  t.match(await nightly.ended(), {
    code: 0,
    stderr: /below the level of shop\.nightly \(linod log level\): 1$/m,
  });
  const words = send('--name', 'deploy', '--level', 'warning', 'version 4.2', 'is live');
  t.match(await words.ended(), { code: 0, stdout: '', stderr: '' });
  await eventually('all is there', async () => (await site.currentRecords()).length > 0);
  const lines = (await site.linod('log', 'tail', '--json', '-n', '100')).trim().split('\n');
  const records = lines.map((line): Record<string, string> => JSON.parse(line));
  const of = (pid: number) =>
    records
      .filter(({ sender }) => sender?.includes(`[${pid}]`))
      .map(({ level, logger, message }) => ({ level, logger, message }));
  t.same(of(nightly.pid), [
    { level: 'ERROR', logger: 'shop.nightly', message: 'ERROR: disk full\n    at line 3' },
    { level: 'INFO', logger: 'shop.nightly', message: '\\x1b[31mred' },
    { level: 'INFO', logger: 'shop.nightly', message: 'no newline' },
  ]);
  t.same(of(words.pid), [{ level: 'WARNING', logger: 'deploy', message: 'version 4.2 is live' }]);

  const long = send('--name', 'long', '--detect-level');
  long.tell('DEBUG unwanted');
  long.tell('INFO before');
  await site.logged(/^INFO before$/);
  t.match(await site.run('linod', 'log', 'level', 'long=DEBUG'), {
    code: 0,
    stderr: /^applied by .*\blong\[/,
  });
  long.endInput('DEBUG wanted now\n');
  t.match(await long.ended(), { code: 0, stderr: /below the level of long .*: 1$/m });
  await site.logged(/^DEBUG wanted now$/);

  t.match(await send('--level', 'loud', 'x').ended(), { code: 2, stderr: /expected a log level/ });
  worker.kill('SIGTERM');
  await worker.ended();
});

t.test('a signal lets the program before the pipe say its last words', async (t) => {
  const site = new LiveSite(t);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const sender = site.start('linod', 'log', 'send', '--name', 'stopped');
    sender.tell('first');
    await reads(site, `stopped-${sender.pid}.`);
    sender.kill(signal);
    sender.tell('last words');
    sender.endInput('and half a line');
    t.match(await sender.ended(), { code: 0, stderr: /^3 records wait in the spool/m });
  }
  const endless = site.start('linod', 'log', 'send');
  endless.tell('first');
  await reads(site, 'send-');
  endless.kill('SIGINT');
  t.match(
    await endless.ended(),
    { code: 0, stderr: /^1 record waits/m },
    'and waits no longer than a second',
  );
});

t.test('a site whose configuration is wrong costs no record', async (t) => {
  const site = new LiveSite(t, { graceSeconds: -1 });
  const sender = site.start('linod', 'log', 'send');
  sender.endInput('kept\n');
  t.match(await sender.ended(), { code: 2, stderr: /graceSeconds.*expected/ });
  t.equal(readdirSync(site.path('log/spool')).length, 1);
});

t.test('a flood is there to its last line', async (t) => {
  const site = new LiveSite(t);
  const worker = await site.startWorker('--initiate');
  const flood = site.start('linod', 'log', 'send', '--name', 'flood');
  const count = 50_000;
  flood.endInput(Array.from({ length: count }, (_, i) => `record ${i + 1}\n`).join(''));
  t.match(await flood.ended(), { code: 0 });
  await site.untilRecords(flood, 'flood', count);
  t.same(faults(await site.records(), `flood[${flood.pid}]`, count), []);
  worker.kill('SIGTERM');
  await worker.ended();
});
