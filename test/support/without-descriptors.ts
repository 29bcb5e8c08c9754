// Starts the process of a run when this one has no more file descriptors to give, and prints how that ended.
// To be run with a low limit: `ulimit -n 100`.

import { closeSync, openSync } from 'node:fs';
import { Process } from '../../src/runs/remote/process.js';

const taken: number[] = [];
try {
  while (taken.length < 100_000) taken.push(openSync('/dev/null', 'r'));
} catch {
  const host = new Process({ url: new URL(import.meta.url), execArgv: [] }, { kind: 'process', memoryMb: 0 });
  console.log(JSON.stringify(await host.ended));
}
for (const descriptor of taken) closeSync(descriptor);
