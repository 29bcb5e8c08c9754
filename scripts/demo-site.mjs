// `npm run demo-site`: the example site of examples/demo-site/ at work, with a mail server and a push service of its own, from
// a fresh clone with only Node and npm. Ctrl-C ends all of it, and nothing is left behind.
//
// `npm run demo-site -- --once` runs every procedure once, shows what came of it, and ends. `--dir DIR` keeps the site there.
// Exit codes: 0 done, 1 something went wrong, 2 wrong usage.

import { fileURLToPath } from 'node:url';
import { installPackages, runTypeScript } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
installPackages();
console.log('building');
await runTypeScript('scripts/demo-site/main.ts', process.argv.slice(2));
