#!/usr/bin/env node
// The `runworker` command: `runworker linod_mysite`. Exit codes: 0 stopped by a signal, 1 failed, 2 used wrongly or
// badly configured.

import { setFlagsFromString } from 'node:v8';

// A worker runs for months beside other programs. By default, V8 lets the space for new objects grow in a busy second
// and never shrinks it. The flag has to be set before other modules are loaded.
setFlagsFromString('--semi-space-growth-factor=1');

const { main } = await import('../src/commands/main.js');
const { runworkerCommand } = await import('../src/commands/start/runworker.js');

await main(runworkerCommand(), process.argv.slice(2));
