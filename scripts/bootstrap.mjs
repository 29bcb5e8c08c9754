// What `npm test` and `npm run demo` do first on a fresh clone. Plain JavaScript: nothing is installed or built yet.

import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';

/** Installs the packages that package-lock.json names, unless that was done since it changed. */
export function installPackages() {
  const mark = 'node_modules/.package-lock.json';
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync('package-lock.json').mtimeMs) return;
  console.log('installing packages');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
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
