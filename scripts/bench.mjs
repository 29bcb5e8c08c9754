// `npm run bench:NAME`: builds, and runs scripts/bench/NAME.ts with the words that follow.
//
//     node scripts/bench.mjs channels --only ping-pong
//
// Exit codes: those of the benchmark; 1 when building failed.

import { fileURLToPath } from 'node:url';
import { runTypeScript } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const [name, ...words] = process.argv.slice(2);
await runTypeScript(`scripts/bench/${name}.ts`, words);
