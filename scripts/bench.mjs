// `npm run bench:NAME`: builds, and runs scripts/bench/NAME.ts with the words that follow.
//
//     node scripts/bench.mjs channels --only ping-pong
//
// Exit codes: those of the benchmark; 1 when building failed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { run } from './bootstrap.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const [name, ...words] = process.argv.slice(2);
run(process.execPath, ['scripts/build.mjs', '--no-types']);
const bench = spawn(process.execPath, ['--import=tsx', `scripts/bench/${name}.ts`, ...words], {
  stdio: 'inherit',
});
// Ctrl-C reaches the benchmark as well, and it has servers to stop. A signal to this process alone is passed on.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => bench.kill());
const [code] = await once(bench, 'exit');
process.exitCode = code ?? 1;
