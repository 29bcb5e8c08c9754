// `npm test`: everything that has to be true before a change is taken, from a fresh clone with only Node and npm.
//
// Installs what is missing, builds, checks types, format and lint, runs all tests, tells which files took longest, and
// prints `N passed, N failed` alone on its last line. Further words are test files:
// `npm test -- test/src/recurrence.test.ts`.
// Exit codes: 0 all passed, 1 something failed, 2 something that the tests need is missing.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildTap, installPackages, run } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** What the tests start besides Node, and the Debian packages that bring it. */
const systemNeeds = [
  { packages: ['redis-server'], isThere: () => succeeds('redis-server', ['--version']) },
  {
    packages: ['python3-django-channels', 'python3-channels-redis', 'python3-cryptography'],
    isThere: () =>
      succeeds('/usr/bin/python3', ['-c', 'import channels.worker, channels_redis.core, cryptography']),
  },
  // The tests start servers of their own; the one that the package would like to start is not needed.
  { packages: ['postgresql'], isThere: () => succeeds('sh', ['-c', 'ls /usr/lib/postgresql/*/bin/initdb']) },
  { packages: ['logrotate'], isThere: () => succeeds('/usr/sbin/logrotate', ['--version']) },
];

function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function installSystemPackages() {
  const missing = systemNeeds.filter((need) => !need.isThere()).flatMap((need) => need.packages);
  if (missing.length === 0) return;
  const command = `apt-get update && apt-get install -y ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    console.error(`the tests need ${missing.join(', ')}; install them, for example: sudo sh -c '${command}'`);
    process.exit(2);
  }
  console.log(`installing ${missing.join(', ')}`);
  run('sh', ['-c', command], { DEBIAN_FRONTEND: 'noninteractive' });
}

/** Builds while types, format and lint are checked, which makes the declarations as well. */
async function buildAndCheck() {
  const commands = [
    ['npm', 'run', '--silent', 'check'],
    [process.execPath, 'scripts/build.mjs', '--no-types'],
  ];
  const children = commands.map(([command, ...words]) =>
    spawn(command, words, { stdio: ['ignore', 'inherit', 'inherit'] }),
  );
  const ends = await Promise.all(children.map((child) => once(child, 'exit')));
  if (ends.some(([code]) => code !== 0)) process.exit(1);
}

/** How long all tests may take together, in ms: several times what they take on a slow machine. */
const patienceMs = 45 * 60_000;

/** Tells what still runs below a process, and ends it with all of that. */
function giveUp(pid) {
  console.log(`the tests have taken ${patienceMs / 60_000} minutes and are ended; still running:`);
  const { stdout } = spawnSync('ps', ['-eo', 'pid=,ppid=,etime=,args='], { encoding: 'utf8' });
  const all = stdout.split('\n').map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []);
  const below = (parent) =>
    all.filter(([, , of]) => Number(of) === parent).flatMap((one) => [one, ...below(Number(one[1]))]);
  const running = below(pid);
  for (const [line] of running) console.log(line);
  for (const one of [...running.map(([, child]) => Number(child)), pid]) {
    try {
      process.kill(one, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Runs tap and counts its assertions from the summary that it prints, so that the last line tells what it told. */
async function runTests(files) {
  const tap = spawn(
    process.execPath,
    ['node_modules/tap/dist/esm/run.mjs', '--reporter=tap', '--jobs=4', ...files],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = once(tap, 'exit');
  const patience = setTimeout(() => giveUp(tap.pid), patienceMs);
  const totals = { pass: 0, fail: 0, skip: 0, todo: 0 };
  const times = [];
  const verbose = !process.stdout.isTTY || files.length > 0;
  let isFailing = false;
  for await (const line of createInterface({ input: tap.stdout })) {
    const total = /^# \{ total: \d+(.*)\}$/.exec(line);
    if (total !== null) {
      for (const [, kind, count] of total[1].matchAll(/(\w+): (\d+)/g)) totals[kind] = Number(count);
    }
    if (/^not ok /.test(line.trimStart())) isFailing = true;
    else if (/^\s*(ok \d|# Subtest)/.test(line)) isFailing = false;
    const file = /^(?:ok|not ok) \d+ - (\S+)(?: # time=([\d.]+)ms)?/.exec(line);
    if (file !== null) times.push({ file: file[1], seconds: Number(file[2] ?? 0) / 1000 });
    if (file !== null || isFailing || (verbose && files.length > 0)) console.log(line);
  }
  clearTimeout(patience);
  const [code] = await ended;
  return { ...totals, times, code };
}

/** Names the files that took longest, so that who adds a slow test notices. */
function tellSlowest(times, count = 10) {
  const slowest = times.toSorted((a, b) => b.seconds - a.seconds).slice(0, count);
  console.log('the slowest files:');
  for (const { file, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(6)} s  ${file}`);
}

installPackages();
installSystemPackages();
buildTap();
console.log('building, and checking types, format and lint');
await buildAndCheck();
console.log('running the tests');
const { pass, fail, skip, times, code } = await runTests(process.argv.slice(2));
if (times.length > 1) tellSlowest(times);
// A file that crashed before its first assertion counts in the exit code only.
const failed = code !== 0 && fail === 0 ? 1 : fail;
if (skip > 0) console.log(`${skip} skipped`);
console.log(`${pass} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
