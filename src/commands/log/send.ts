// linod log send: sends standard input, or some words, to the log.

import { Command } from 'commander';
import { parseLevel } from '../../base/log-levels.js';
import { type SiteFlags, siteOption } from '../main.js';

interface SendFlags extends SiteFlags {
  readonly name: string;
  readonly level: string;
  readonly logger?: string;
  readonly detectLevel?: boolean;
}

export function sendCommand(): Command {
  return new Command('send')
    .description('send standard input to the log, one record a line; or the given words as one record')
    .argument('[words...]', 'the message (default: read standard input)')
    .option('--name <name>', 'the name of this process in the log', 'send')
    .option('--logger <name>', "the logger's name in the records (default: that of --name)")
    .option('--level <level>', 'DEBUG, INFO, WARNING, ERROR or CRITICAL', 'INFO')
    .option('--detect-level', 'take the level from lines that begin with one, such as "ERROR: disk full"')
    .addOption(siteOption())
    .addHelpText(
      'after',
      `
A line that begins with a space or a tab belongs to the record before, as in a stack. A record of more than 48 kB is
cut. Bytes that are no UTF-8 appear as \\xff. Records below the level of their logger (linod log level) are dropped.

Without a worker the records wait in log/spool. The exit code is 0 when every record is in the log or in the spool.

Example:
  $ some-script 2>&1 | linod log send --name nightly --detect-level
  $ linod log send --name deploy "version 4.2 is live"`,
    )
    .action(async (words: readonly string[], _own: SendFlags, self: Command) => {
      const flags = self.optsWithGlobals<SendFlags>();
      const level = parseLevel(flags.level).value;
      const { sendToLog } = await import('./send-input.js');
      await sendToLog(words, { ...flags, level });
    });
}
