// `npm run demo-site`: runs examples/demo-site/ with a mail server and a push service of its own. A fresh clone with
// Node and npm is enough. Ctrl-C ends everything and leaves nothing behind.
//
// `npm run demo-site -- --once` runs every procedure once, shows the results, and ends. `--dir DIR` keeps the site
// there. Exit codes: 0 done, 1 failed, 2 wrong usage.

import { fileURLToPath } from 'node:url';
import { installPackages, runTypeScript } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
installPackages();
console.log('building');
await runTypeScript('scripts/demo-site/main.ts', process.argv.slice(2));
