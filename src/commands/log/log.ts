// linod log: the commands about the log.

import { Command } from 'commander';
import { levelCommand } from './level.js';
import { sendCommand } from './send.js';
import { statsCommand } from './stats.js';
import { tailCommand } from './tail.js';
import { verifyCommand } from './verify.js';

export function logCommand(): Command {
  const command = new Command('log')
    .description('read, check and extend the log of all processes')
    .addHelpText('after', '\nExample:\n  $ linod log tail -f\n  $ linod log verify');
  for (const below of [tailCommand(), statsCommand(), verifyCommand(), levelCommand(), sendCommand()])
    command.addCommand(below);
  return command;
}
