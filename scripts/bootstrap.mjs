// What scripts/*.mjs share. Plain JavaScript, because on a fresh clone nothing is installed or built yet.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';

/** Installs the packages that package-lock.json names, unless that was done since it changed. */
export function installPackages() {
  const mark = 'node_modules/.package-lock.json';
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync('package-lock.json').mtimeMs) return;
  console.log('installing packages');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

/**
 * Builds tap with the plugins that package.json names, unless that was done. Otherwise it does so itself in its first run, but
 * goes through that whole run with the plugins that it comes with, one of which compiles each test with TypeScript: that
 * takes ten times as long.
 */
export function buildTap() {
  const built = 'node_modules/@tapjs/test/test-built/dist/esm/index.js';
  if (existsSync(built) && !readFileSync(built, 'utf8').includes('"@tapjs/typescript"')) return;
  console.log('building tap with its plugins');
  run(process.execPath, ['node_modules/tap/dist/esm/run.mjs', 'build']);
}

/** Runs a command; when it fails, so does this process. */
export function run(command, args, environment = {}) {
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
  });
  if (status === 0) return;
  console.error(`failed: ${command} ${args.join(' ')}${error === undefined ? '' : `: ${error.message}`}`);
  process.exit(1);
}

/** Builds dist/, runs a TypeScript file to its end, and makes its exit code that of this process. */
export async function runTypeScript(file, words) {
  run(process.execPath, ['scripts/build.mjs', '--no-types']);
  const loader = import.meta.resolve('./typescript.mjs');
  const child = spawn(process.execPath, [`--import=${loader}`, file, ...words], { stdio: 'inherit' });
  // Ctrl-C reaches the child as well, which tidies up. A signal to this process alone is passed on.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code] = await once(child, 'exit');
  process.exitCode = code ?? 1;
}
