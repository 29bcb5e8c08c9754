// The commands over the shipped procedures, which scripts/linod.ts adds to those of the daemon. What a command does is
// loaded when it is called: `linod` begins no later for them.

import type { Command } from 'commander';
import { checkdataCommand } from './checkdata.js';
import { checksummariesCommand } from './checksummaries.js';
import { mailCommand } from './mail.js';
import { pushCommand } from './push.js';

/** Made anew for each program. */
export function procedureCommands(): Command[] {
  return [checkdataCommand(), checksummariesCommand(), mailCommand(), pushCommand()];
}
