#!/usr/bin/env node
// The `linod` command: `linod --help` lists what it can do. Exit codes: 0 done, 1 failed, 2 used wrongly or badly
// configured, 3 a check found something.

import { linodProgram } from '../src/commands/linod.js';
import { main } from '../src/commands/main.js';

await main(linodProgram(), process.argv.slice(2));
