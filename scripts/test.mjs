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
import { installPackages, run } from './bootstrap.mjs';

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

/** Builds while types, format and lint are checked; the build itself has no need to check them once more. */
async function buildAndCheck() {
  const words = [['check'], ['build', '--', '--noCheck']];
  const children = words.map((words) =>
    spawn('npm', ['run', '--silent', ...words], { stdio: ['ignore', 'inherit', 'inherit'] }),
  );
  const ends = await Promise.all(children.map((child) => once(child, 'exit')));
  if (ends.some(([code]) => code !== 0)) process.exit(1);
}

/** Runs tap and counts its assertions from the summary that it prints, so that the last line tells what it told. */
async function runTests(files) {
  const tap = spawn(
    process.execPath,
    ['node_modules/tap/dist/esm/run.mjs', '--reporter=tap', '--jobs=3', ...files],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
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
  const code = tap.exitCode ?? (await new Promise((resolve) => tap.once('exit', resolve)));
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
console.log('building, and checking types, format and lint');
await buildAndCheck();
console.log('running the tests');
const { pass, fail, skip, times, code } = await runTests(process.argv.slice(2));
if (times.length > 1) tellSlowest(times);
// A file that crashed before its first assertion counts in the exit code only.
const failed = code !== 0 && fail === 0 ? 1 : fail;
console.log(`${pass} passed, ${failed} failed${skip > 0 ? `, ${skip} skipped` : ''}`);
process.exit(failed === 0 ? 0 : 1);
