// `npm run demo-site`: the example site of examples/demo-site/ at work, with a mail server and a push service of its own, from
// a fresh clone with only Node and npm. Ctrl-C ends all of it, and nothing is left behind.
//
// `npm run demo-site -- --once` runs every procedure once, shows what came of it, and ends. `--dir DIR` keeps the site there.
// Exit codes: 0 done, 1 something went wrong, 2 wrong usage.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { installPackages, run } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
installPackages();
console.log('building');
run(process.execPath, ['scripts/build.mjs', '--programs']);
const child = spawn(process.execPath, ['build/scripts/demo-site/main.js', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
// Ctrl-C reaches the child, too, which tidies up; a signal to this process alone is passed on.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => process.exit(code ?? 1));
