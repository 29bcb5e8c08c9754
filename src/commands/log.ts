// linod log: reading lino.log.

import { Command } from 'commander';
import { requireSite, type SiteFlags, siteOption } from './main.js';
import { parseWholeNumber } from './numbers.js';
import { say, styled } from './output.js';

export function logCommand(): Command {
  const log = new Command('log')
    .description('the log of all processes')
    .addHelpText('after', '\nExample:\n  $ linod log tail -f');
  log
    .command('tail')
    .description('the last lines of lino.log')
    .option('-n, --lines <count>', 'how many lines', '20')
    .option('-f, --follow', 'go on with what is added, until Ctrl-C')
    .option('--json', 'print each record as JSON')
    .addOption(siteOption())
    .addHelpText('after', '\nExample:\n  $ linod log tail -f')
    .action(async (flags: SiteFlags & { lines: string; follow?: boolean; json?: boolean }) => {
      const count = parseWholeNumber('--lines', flags.lines);
      const site = await requireSite(flags);
      const { tail } = await import('../log/tail.js');
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
      const show = flags.json ? await jsonRecords() : (lines: readonly string[]) => lines.forEach(printLine);
      const found = await tail(
        site.logFile,
        { lines: count, follow: flags.follow ?? false, signal: stop.signal },
        show,
      );
      if (!found)
        say(
          `there is no ${site.shorten(site.logFile)} yet: the logger coroutine makes it; start it with initiate_linod`,
        );
    });
  return log;
}

const colours = { WARNING: 'yellow', ERROR: 'red', CRITICAL: 'red', DEBUG: 'gray' } as const;

function printLine(line: string): void {
  const level = /^\S+ \S+ ([A-Z]+) /.exec(line)?.[1] ?? '';
  process.stdout.write(`${level in colours ? styled(colours[level as keyof typeof colours], line) : line}\n`);
}

async function jsonRecords(): Promise<(lines: readonly string[]) => void> {
  const { RecordReader } = await import('../log/tail.js');
  const reader = new RecordReader();
  return (lines) => {
    for (const record of reader.read(lines)) process.stdout.write(`${JSON.stringify(record)}\n`);
  };
}
