#!/usr/bin/env node
// The `runworker` command: `runworker linod_mysite`. Exit codes: 0 stopped as it was told, 1 failed, 2 used wrongly or
// badly configured.

import { setFlagsFromString } from 'node:v8';

// A worker is a guest on its machine for months. V8 would let the room for new objects grow to 48 MiB after the first
// busy second, and never give it back; kept small, it is emptied more often. So before anything else is loaded.
setFlagsFromString('--semi-space-growth-factor=1');

const { main } = await import('../src/commands/main.js');
const { runworkerCommand } = await import('../src/commands/runworker.js');

await main(runworkerCommand(), process.argv.slice(2));
