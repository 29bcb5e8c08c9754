// The commands for the shipped procedures, which scripts/linod.ts adds to those of the daemon. Each command
// loads its code when it is called, so `linod` starts fast.

import type { Command } from 'commander';
import { checkdataCommand } from './checkdata.js';
import { checksummariesCommand } from './checksummaries.js';
import { mailCommand } from './mail.js';
import { pushCommand } from './push.js';

/** Creates new commands, since commander's are stateful. */
export function procedureCommands(): Command[] {
  return [checkdataCommand(), checksummariesCommand(), mailCommand(), pushCommand()];
}
