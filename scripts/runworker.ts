#!/usr/bin/env node
// The `runworker` command: `runworker linod_mysite`. Exit codes: 0 stopped as it was told, 1 failed, 2 used wrongly or
// badly configured.

import { main } from '../src/commands/main.js';
import { runworkerCommand } from '../src/commands/runworker.js';

await main(runworkerCommand(), process.argv.slice(2));
