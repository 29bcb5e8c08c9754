// `npm test`: all checks of a change, from a fresh clone with only Node and npm.
//
// Installs what is missing, builds, checks types, format and lint, runs all tests, and names the slowest files. The
// last line is `N passed, N failed`. Further words are test files:
// `npm test -- test/src/recurrence/recurrence.test.ts`.
// Exit codes: 0 all passed, 1 something failed, 2 something that the tests need is missing.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildTap, installPackages, run } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** The programs that the tests start besides Node, with their Debian packages. */
const systemNeeds = [
  { packages: ['redis-server'], isThere: () => succeeds('redis-server', ['--version']) },
  {
    packages: ['python3-django-channels', 'python3-channels-redis', 'python3-cryptography'],
    isThere: () =>
      succeeds('/usr/bin/python3', ['-c', 'import channels.worker, channels_redis.core, cryptography']),
  },
  {
    packages: ['python3-daphne'],
    isThere: () => succeeds('/usr/bin/python3', ['-c', 'import daphne.server']),
  },
  { packages: ['chromium'], isThere: () => existsSync('/usr/bin/chromium') },
  { packages: ['nginx-light'], isThere: () => existsSync('/usr/sbin/nginx') },
  // The tests start their own servers, not the one of the package.
  { packages: ['postgresql'], isThere: () => succeeds('sh', ['-c', 'ls /usr/lib/postgresql/*/bin/initdb']) },
  { packages: ['systemd'], isThere: () => succeeds('systemd-analyze', ['--version']) },
  { packages: ['openssl'], isThere: () => succeeds('openssl', ['version']) },
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

/** Builds dist/, and at the same time checks types, format and lint, which also writes the declarations. */
async function buildAndCheck() {
  const commands = [
    ['npm', 'run', '--silent', 'check'],
    [process.execPath, 'scripts/build.mjs', '--no-types'],
  ];
  const ended = commands.map(([command, ...words]) =>
    once(spawn(command, words, { stdio: ['ignore', 'inherit', 'inherit'] }), 'exit'),
  );
  if ((await Promise.all(ended)).some(([code]) => code !== 0)) process.exit(1);
}

/** Runs the named test files with tap, or all, and prints the failures. @returns the totals */
async function runTests(files) {
  // Tests often wait, so one more than the processors. Still more would make each other late.
  const words = ['tap', '--reporter=tap', `--jobs=${availableParallelism() + 1}`, ...files];
  const tap = spawn('npx', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(tap, 'exit');
  const times = [];
  let totals = '';
  const lines = [];
  const finishFile = () => {
    const ofFile = lines.splice(0);
    const end = ofFile.findLast((line) => /^(not )?ok /.test(line)) ?? '';
    const [, file, ms] = / - (\S+) # time=([\d.]+)ms/.exec(end) ?? [];
    if (file !== undefined) times.push({ file, seconds: Number(ms) / 1000 });
    const shown = files.length > 0 ? ofFile : end.startsWith('not ') ? failuresIn(ofFile) : [end];
    console.log(shown.join('\n'));
  };
  for await (const line of createInterface({ input: tap.stdout })) {
    if (line.startsWith('# Subtest: ')) finishFile();
    if (line.startsWith('# { total: ')) totals = line;
    lines.push(line);
  }
  finishFile();
  const [code] = await ended;
  showSlowest(times);
  const count = (kind) => Number(new RegExp(`\\b${kind}: (\\d+)`).exec(totals)?.[1] ?? 0);
  // When tap itself fails, the result must not look like a success.
  const fail = code === 0 && totals !== '' ? count('fail') : Math.max(count('fail'), 1);
  return { pass: count('pass'), fail, skip: count('skip') };
}

/** The failed assertions of a file, with their details. */
function failuresIn(lines) {
  let isFailing = false;
  return lines.filter((line) => {
    if (/^\s*not ok /.test(line)) isFailing = true;
    else if (/^\s*(ok \d|# Subtest)/.test(line)) isFailing = false;
    return isFailing;
  });
}

/** Prints the slowest test files. */
function showSlowest(files, count = 10) {
  if (files.length < 2) return;
  console.log('the slowest files:');
  for (const { file, seconds } of files.toSorted((a, b) => b.seconds - a.seconds).slice(0, count)) {
    console.log(`${seconds.toFixed(1).padStart(6)} s  ${file}`);
  }
}

installPackages();
installSystemPackages();
buildTap();
console.log('building, and checking types, format and lint');
await buildAndCheck();
console.log('running the tests');
const { pass, fail, skip } = await runTests(process.argv.slice(2));
if (skip > 0) console.log(`${skip} skipped`);
console.log(`${pass} passed, ${fail} failed`);
process.exit(fail === 0 ? 0 : 1);
