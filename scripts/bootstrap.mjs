// Shared by scripts/*.mjs. Plain JavaScript, because on a fresh clone nothing is installed or built.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';

/** Installs the packages of package-lock.json, unless they are installed and the file has not changed. */
export function installPackages() {
  const mark = 'node_modules/.package-lock.json';
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync('package-lock.json').mtimeMs) return;
  console.log('installing packages');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

/**
 * Builds tap with the plugins of package.json, unless that is done. Tap would do so in its first run, but run all
 * tests with its default plugins. One of them compiles each test with TypeScript, which is slow.
 */
export function buildTap() {
  const built = 'node_modules/@tapjs/test/test-built/dist/esm/index.js';
  if (existsSync(built) && !readFileSync(built, 'utf8').includes('"@tapjs/typescript"')) return;
  console.log('building tap with its plugins');
  run(process.execPath, ['node_modules/tap/dist/esm/run.mjs', 'build']);
}

/** Runs a command; exits with 1 when it fails. */
export function run(command, args, environment = {}) {
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
  });
  if (status === 0) return;
  console.error(`failed: ${command} ${args.join(' ')}${error === undefined ? '' : `: ${error.message}`}`);
  process.exit(1);
}

/** Builds dist/, runs a TypeScript file, and exits with its exit code. */
export async function runTypeScript(file, words) {
  run(process.execPath, ['scripts/build.mjs', '--no-types']);
  const loader = import.meta.resolve('./typescript.mjs');
  const child = spawn(process.execPath, [`--import=${loader}`, file, ...words], { stdio: 'inherit' });
  // Ctrl-C also reaches the child, which cleans up. SIGTERM reaches this process only, so it is passed on.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code] = await once(child, 'exit');
  process.exitCode = code ?? 1;
}
