// linod log tail: the last records of lino.log, and those that are added.

import { Command } from 'commander';
import { parseLevel } from '../../log/levels.js';
import type { Shown } from '../../log/reading/filter.js';
import { parseInstant } from '../instants.js';
import { jsonOption, requireSite, type SiteFlags, siteOption } from '../main.js';
import { parseWholeNumber } from '../numbers.js';
import { say } from '../output.js';
import { jsonView, plainText } from './record-view.js';
import { parseWantedText } from './wanted-text.js';

interface TailFlags extends SiteFlags {
  readonly lines?: string;
  readonly follow?: boolean;
  readonly level?: string;
  readonly name?: string;
  readonly sender?: string;
  readonly since?: string;
  readonly job?: string;
  readonly grep?: string;
  readonly json?: boolean;
}

const defaultCount = 20;

export function tailCommand(): Command {
  return new Command('tail')
    .description('the last records of lino.log, and of its rotated files if need be')
    .option('-n, --lines <count>', `how many records (default: ${defaultCount}, or all since --since)`)
    .option('-f, --follow', 'go on with what is added, until Ctrl-C')
    .option('--level <level>', 'only records of this level and above')
    .option('--name <logger>', 'only records of this logger and those below it')
    .option('--sender <name>', 'only records of this process: web, or web[812]')
    .option('--since <time>', 'only records since then: a time, or how long ago it was')
    .option('--job <number>', 'only what this job has logged and what was logged about it')
    .option('--grep <text>', 'only records in which this stands: TEXT, or /REGEX/ with flags such as i')
    .addOption(jsonOption())
    .addOption(siteOption())
    .addHelpText(
      'after',
      `
A record is shown whole, with all its lines. Without a level, logger, sender or job, lines that are no record are shown, too.

Example:
  $ linod log tail -f --level warning
  $ linod log tail --since 2h --name shop --grep '/refund(ed)?/i'
  $ linod log tail --job 17`,
    )
    .action(async (flags: TailFlags) => {
      const last = flags.lines === undefined ? undefined : parseWholeNumber('--lines', flags.lines);
      const text = flags.grep === undefined ? undefined : parseWantedText(flags.grep);
      const level = flags.level === undefined ? undefined : parseLevel(flags.level).value;
      const job = flags.job === undefined ? undefined : parseWholeNumber('--job', flags.job);
      const site = await requireSite(flags);
      const { timezone } = site.settings;
      const since =
        flags.since === undefined
          ? undefined
          : parseInstant('--since', flags.since, { now: new Date(), timezone }).getTime();
      const { tail } = await import('../../log/reading/tail.js');
      const textOf = flags.json ? jsonView(timezone) : plainText;
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
      const found = await tail(
        site.logFile,
        {
          last: last ?? (since === undefined ? defaultCount : undefined),
          wanted: { level, logger: flags.name, sender: flags.sender, since, job, text },
          follow: flags.follow ?? false,
          timezone,
          signal: stop.signal,
        },
        (records) => write(records, textOf),
      );
      if (!found)
        say(
          `there is no ${site.shorten(site.logFile)} yet: the logger coroutine makes it; start it with initiate_linod`,
        );
    });
}

/** Resolves when the reader of the pipe has taken it, or has left. */
async function write(records: readonly Shown[], textOf: (record: Shown) => string): Promise<void> {
  const text = records.map((record) => `${textOf(record)}\n`).join('');
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}
