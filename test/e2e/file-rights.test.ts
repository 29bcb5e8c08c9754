// Several users on one machine: whose the files are that commands make, and what a user may do who may only read.

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LiveSite } from '../support/live-site.js';
import { scriptPath } from '../support/programs.js';

const owner = 12_345;
const reader = 54_321;

const files = {
  'procedures/garden.ts': `import { scheduleDaily } from 'linod';
scheduleDaily(function water_plants() {});
`,
};

/** Runs `linod` as a user with this number. By env(1), since tap's own hooks write where only root may. */
function linodAs(uid: number, cwd: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  const clean = ['-i', `PATH=${process.env.PATH}`, 'HOME=/nonexistent', process.execPath];
  return spawnSync('env', [...clean, scriptPath('linod'), ...args], { cwd, uid, gid: uid, encoding: 'utf8' });
}

function everyFile(directory: string): string[] {
  return readdirSync(directory, { recursive: true }).map((name) => join(directory, String(name)));
}

function ownedSite(t: Test): LiveSite {
  const site = new LiveSite(t, { files });
  chmodSync(site.directory, 0o755);
  for (const path of [site.directory, ...everyFile(site.directory)]) chownSync(path, owner, owner);
  return site;
}

const skip = process.getuid?.() === 0 ? false : 'only root can be several users';

t.test('what a command of root makes belongs to the user of the site', { skip }, async (t) => {
  const site = ownedSite(t);
  await site.linod('rules', 'sync');
  await site.linod('log', 'level', 'shop=DEBUG');
  await site.linod('log', 'send', '--name', 'nightly', 'hello');
  await site.linod('channels', 'send', 'orders', '--type', 'order.paid');
  const made = everyFile(site.directory);
  for (const name of ['linod.db', 'channels.db', 'log']) t.ok(made.includes(site.path(name)), name);
  const others = made.filter((path) => lstatSync(path).uid !== owner);
  t.same(others, [], 'no file is root’s');
  t.match(linodAs(owner, site.directory, 'rule', '1', 'set', 'every=2'), { status: 0, stderr: '' });
});

t.test(
  'a user who may only read sees what is there, and is told why nothing can be changed',
  { skip },
  async (t) => {
    const site = ownedSite(t);
    const reads = (when: string) => {
      for (const words of [
        'rules',
        'rule 1',
        'rule 1 next',
        'rule 1 history',
        'why 1',
        'jobs',
        'procedures',
        'log tail',
        'log stats',
        'log verify',
        'log level',
        'simulate',
        'channels',
        'channels peek orders',
        'channels groups',
        'channels dead',
        'rules export',
      ]) {
        const { status, stderr } = linodAs(reader, site.directory, ...words.split(' '));
        t.equal(status, 0, `${words}, ${when}: ${stderr}`);
      }
    };
    await site.linod('rules', 'sync');
    const channels = () => linodAs(reader, site.directory, 'channels');
    t.match(channels(), { status: 0, stderr: 'no messages on any channel\n' });
    await site.linod('channels', 'send', 'orders', '--type', 'order.paid');
    t.match(channels(), { status: 0, stdout: /^orders +1 /m, stderr: '' });
    t.match(linodAs(reader, site.directory, 'status'), {
      status: 3,
      stdout: /water_plants/,
      stderr: /^no worker is running/m,
    });
    t.match(linodAs(reader, site.directory, 'rule', '1', 'run'), {
      status: 1,
      stderr: `linod: cannot use the database ${site.path('linod.db')}: user ${reader} may not write ${site.path('linod.db')}, which belongs to ${owner}\n`,
    });
    await site.startWorker('--initiate');
    await site.linod('rule', '1', 'run', '--wait');
    reads('while a worker runs');
    t.match(linodAs(reader, site.directory, 'workers'), { status: 0, stdout: /linod_test/ });
  },
);

t.test('a site that may not be read is not told as none', { skip }, async (t) => {
  const site = ownedSite(t);
  chmodSync(site.directory, 0o700);
  const run = linodAs(reader, '/', 'rules', '--site', site.directory);
  t.match(run, {
    status: 2,
    stderr: `linod: cannot look for a site in ${site.directory}: user ${reader} may not read ${site.directory}, which belongs to ${owner}\n`,
  });
  chmodSync(site.directory, 0o755);
  chmodSync(site.path('linod.config.json'), 0o600);
  t.match(linodAs(reader, site.directory, 'rules'), {
    status: 2,
    stderr: /linod\.config\.json: cannot be read: EACCES: permission denied/,
  });
});
