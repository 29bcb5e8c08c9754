// `npm test`: everything that has to be true before a change is taken, from a fresh clone with only Node and npm.
//
// Installs what is missing, builds, checks types, format and lint, runs all tests, tells which files took longest, and
// prints `N passed, N failed` alone on its last line. Further words are test files:
// `npm test -- test/src/recurrence.test.ts`.
// Exit codes: 0 all passed, 1 something failed, 2 something that the tests need is missing.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
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

/** Builds the package and the tests while types, format and lint are checked, which makes the declarations as well. */
async function buildAndCheck() {
  const commands = [
    ['npm', 'run', '--silent', 'check'],
    [process.execPath, 'scripts/build.mjs', '--no-types'],
  ];
  const children = commands.map(([command, ...words]) =>
    spawn(command, words, { stdio: ['ignore', 'inherit', 'inherit'] }),
  );
  const ended = children.map((child) => once(child, 'exit'));
  await compileTests(compiled);
  const ends = await Promise.all(ended);
  if (ends.some(([code]) => code !== 0)) process.exit(1);
}

/** Where the compiled tests are. */
const compiled = 'build-tests';
/** Those that start many processes and wait for them come first: at the end, small ones fill the gaps. */
const first = ['test/interop/', 'test/e2e/', 'test/on-postgres/'];

function allTests() {
  const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join('test', name))
    .sort();
  const rank = (file) => [...first, ''].findIndex((folder) => file.startsWith(folder));
  return files.sort((a, b) => rank(a) - rank(b));
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
// They load packages that may just have been installed.
const { compileTests } = await import('./compile-tests.mjs');
const { runTests } = await import('./run-tests.mjs');
await buildAndCheck();
console.log('running the tests');
const words = process.argv.slice(2);
const files = words.length > 0 ? words : allTests();
const { pass, fail, skip, times } = await runTests(files, { compiled, jobs: 4, verbose: words.length > 0 });
if (times.length > 1) tellSlowest(times);
if (skip > 0) console.log(`${skip} skipped`);
console.log(`${pass} passed, ${fail} failed`);
process.exit(fail === 0 ? 0 : 1);
