#!/usr/bin/env node
// The `linod` command: `linod --help` lists what it can do. Exit codes: 0 done, 1 failed, 2 used wrongly or badly
// configured, 3 a check found something.

import { procedureCommands } from '../procedures/commands/index.js';
import { linodProgram } from '../src/commands/linod.js';
import { main } from '../src/commands/main.js';

await main(linodProgram(procedureCommands()), process.argv.slice(2));
