#!/usr/bin/env node

// The `initiate_linod` command. Exit codes: 0 a worker answered, 1 none did, 2 used wrongly or badly configured.

import { main } from '../src/commands/main.js';
import { initiateCommand } from '../src/commands/start/initiate.js';

await main(initiateCommand(), process.argv.slice(2));
