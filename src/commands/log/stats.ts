// linod log stats: counts records by level, logger and sender.

import { type Command, Option } from 'commander';
import { durationText } from '../../base/duration.js';
import { LogLevels } from '../../base/log-levels.js';
import { findLogParts } from '../../log/read/files.js';
import { type Amount, type LogStats, logStats } from '../../log/read/stats.js';
import { localTime } from '../../recurrence/time/local-time.js';
import { givenInstant } from '../../recurrence/time/parse-instant.js';
import { requireSite, type SiteJsonFlags, siteCommand } from '../main.js';
import { type Column, print, printJson, printTable, say } from '../views/output.js';

type Dimension = 'sender' | 'logger' | 'level';

interface StatsFlags extends SiteJsonFlags {
  readonly since?: string;
  readonly by?: Dimension;
}

/** The number of loggers that the command shows without --by. */
const loudest = 10;

export function statsCommand(): Command {
  return siteCommand(
    'stats',
    'count the records of the log by level, logger and sender',
    `Counts lino.log and its rotated files, without the notes of the writer.

Example:
  $ linod log stats --since 24h
  $ linod log stats --by sender`,
  )
    .option('--since <time>', 'only records since then: a time, or how long ago it was')
    .addOption(
      new Option('--by <what>', 'list all of one kind, those with the most bytes first').choices([
        'sender',
        'logger',
        'level',
      ]),
    )
    .action(async (flags: StatsFlags) => {
      const site = await requireSite(flags);
      const { timezone } = site.settings;
      const since = givenInstant('--since', flags.since, timezone)?.getTime();
      const stats = await logStats(await findLogParts(site.logFile, timezone), { since, timezone });
      for (const { file, problem } of stats.unreadable)
        say(`cannot read ${site.shorten(file)} to its end: ${problem}`);
      if (flags.json) printJson(stats, ['first', 'last', 'minute']);
      else if (flags.by !== undefined) printTable(columnsOf(flags.by, stats), amountsBy(flags.by, stats));
      else printAll(stats, timezone);
    });
}

function amountsBy(by: Dimension, { levels, loggers, senders }: LogStats): readonly Amount[] {
  return { level: levels, logger: loggers, sender: senders }[by];
}

function printAll(stats: LogStats, timezone: string): void {
  const { records, bytes, first, last, busiest, loggers, senders, lost, strays } = stats;
  if (first === null || last === null || busiest === null) {
    say('no records');
    return;
  }
  const at = (instant: number) => localTime(new Date(instant), timezone);
  print(`records    ${records} of ${senders.length} senders and ${loggers.length} loggers, ${bytes} bytes`);
  print(`logged     ${at(first)} to ${at(last)}, ${durationText(last - first)}`);
  const peak = `${busiest.records} in the minute of ${at(busiest.minute)}`;
  print(`rate       ${rate(records, last - first)} on average, ${peak}`);
  for (const { sender, records } of lost) print(`lost       ${records} of ${sender}, as the log reports`);
  if (strays > 0) print(`strays     ${strays} lines or torn records; linod log verify names them`);
  print('');
  printTable(columnsOf('level', stats), stats.levels);
  print('');
  printTable(columnsOf('logger', stats), loggers.slice(0, loudest));
  if (loggers.length > loudest)
    say(`and ${loggers.length - loudest} more loggers: linod log stats --by logger`);
}

/** `3.1/s`, or `12/h` for rare records. */
function rate(records: number, ms: number): string {
  if (ms <= 0) return `${records} at once`;
  const perSecond = (records * 1000) / ms;
  if (perSecond >= 0.1) return `${perSecond.toFixed(1)}/s`;
  return `${(perSecond * 3600).toFixed(1)}/h`;
}

function columnsOf(by: Dimension, { records }: LogStats): ReadonlyArray<Column<Amount>> {
  const levels = by === 'level' ? [] : Array.from(LogLevels, ({ value }) => value);
  return [
    { title: by, cell: ({ name }) => name },
    { title: 'records', align: 'right', cell: (amount) => String(amount.records) },
    {
      title: 'share',
      align: 'right',
      isSpare: true,
      cell: (amount) => `${((100 * amount.records) / records).toFixed(1)} %`,
    },
    { title: 'bytes', align: 'right', cell: ({ bytes }) => String(bytes) },
    { title: 'rate', align: 'right', cell: ({ records, first, last }) => rate(records, last - first) },
    ...levels.map(
      (level): Column<Amount> => ({
        title: level,
        align: 'right',
        cell: (amount) => String(amount.levels[level] ?? 0),
      }),
    ),
  ];
}
