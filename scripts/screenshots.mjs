// `npm run screenshots`: takes the pictures of the console for README and docs, docs/images/console-*.png, from a demo
// site whose data are always the same. It needs Debian's package chromium.

import { fileURLToPath } from 'node:url';
import { installPackages, runTypeScript } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
installPackages();
console.log('building');
await runTypeScript('scripts/screenshots/main.ts', process.argv.slice(2));
