// `npm run bench:NAME`: builds, and runs scripts/bench/NAME.ts with the words that follow.
//
//     node scripts/bench.mjs channels --only idle
//
// Exit codes: those of the benchmark; 1 when building failed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { run } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const [name, ...words] = process.argv.slice(2);
run(process.execPath, ['scripts/build.mjs', '--programs']);
const bench = spawn(process.execPath, [`build/scripts/bench/${name}.js`, ...words], { stdio: 'inherit' });
// The benchmark gets a Ctrl-C as well, and has servers to stop; a signal to this process alone is passed on.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => bench.kill());
const [code] = await once(bench, 'exit');
process.exitCode = code ?? 1;
