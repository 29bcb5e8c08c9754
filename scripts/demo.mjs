// `npm run demo`: linod at work, in about half a minute, from a fresh clone with only Node and npm.
//
// `npm run demo -- --redis redis://127.0.0.1:6379` does the same with Redis between the processes.
// Exit codes: 0 every record that was sent is in the log once, 1 something went wrong, 2 wrong usage.

import { fileURLToPath } from 'node:url';
import { installPackages, runTypeScript } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
installPackages();
console.log('building');
await runTypeScript('scripts/demo/story.ts', process.argv.slice(2));
