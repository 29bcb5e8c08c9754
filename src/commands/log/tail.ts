// linod log tail: shows the last records of lino.log, and new ones.

import type { Command } from 'commander';
import { UsageError } from '../../base/errors.js';
import { type LevelName, parseLevel } from '../../base/log-levels.js';
import { recordInstant } from '../../log/format/formats.js';
import { Timestamps } from '../../log/format/timestamp.js';
import { printable } from '../../log/format/unsafe.js';
import { contentOf, type Shown } from '../../log/read/filter.js';
import { tail } from '../../log/read/tail.js';
import { givenInstant } from '../../recurrence/time/parse-instant.js';
import { requireSite, type SiteJsonFlags, siteCommand, unlessEnded } from '../main.js';
import { type Style, say, styled } from '../views/output.js';
import { parseWholeNumber } from '../views/words.js';

interface TailFlags extends SiteJsonFlags {
  readonly lines?: string;
  readonly follow?: boolean;
  readonly level?: string;
  readonly name?: string;
  readonly sender?: string;
  readonly since?: string;
  readonly job?: string;
  readonly grep?: string;
}

const defaultCount = 20;

export function tailCommand(): Command {
  return siteCommand(
    'tail',
    'show the last records of lino.log, and of its rotated files if need be',
    `It shows whole records, with all their lines. Without a level, logger, sender or job it also shows lines that are no
record.

Example:
  $ linod log tail -f --level warning
  $ linod log tail --since 2h --name shop --grep '/refund(ed)?/i'
  $ linod log tail --job 17`,
  )
    .option('-n, --lines <count>', `how many records (default: ${defaultCount}, or all since --since)`)
    .option('-f, --follow', 'show new records until Ctrl-C')
    .option('--level <level>', 'only records of this level and above')
    .option('--name <logger>', 'only records of this logger and those below it')
    .option('--sender <name>', 'only records of this process: web, or web[812]')
    .option('--since <time>', 'only records since then: a time, or how long ago it was')
    .option('--job <number>', 'only records of this job and about it')
    .option('--grep <text>', 'only records that contain this: TEXT, or /REGEX/ with flags such as i')
    .action(async (flags: TailFlags) => {
      const last = flags.lines === undefined ? undefined : parseWholeNumber('-n', flags.lines, 0);
      const text = flags.grep === undefined ? undefined : parseWantedText(flags.grep);
      const level = flags.level === undefined ? undefined : parseLevel(flags.level).value;
      const job = flags.job === undefined ? undefined : parseWholeNumber('--job', flags.job);
      const site = await requireSite(flags);
      const { timezone } = site.settings;
      const since = givenInstant('--since', flags.since, timezone)?.getTime();
      const textOf = flags.json ? jsonView(timezone) : plainText;
      const options = {
        last: last ?? (since === undefined ? defaultCount : undefined),
        wanted: { level, logger: flags.name, sender: flags.sender, since, job, text },
        follow: flags.follow ?? false,
        timezone,
      };
      const found = await unlessEnded((signal) =>
        tail(site.logFile, { ...options, signal }, (records) => write(records, textOf)),
      );
      if (!found)
        say(`there is no ${site.shorten(site.logFile)} yet: start the logger coroutine with initiate_linod`);
    });
}

/** Resolves when the reader of the pipe has taken the text, or has left. */
async function write(records: readonly Shown[], textOf: (record: Shown) => string): Promise<void> {
  const text = records.map((record) => `${textOf(record)}\n`).join('');
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}

/**
 * Parses --grep. `/REGEX/` and `/REGEX/i` are patterns; everything else is plain text. A path such as `/usr/bin` is
 * text, because its end is no flags of JavaScript.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`) for an invalid pattern
 */
export function parseWantedText(text: string): string | RegExp {
  const [, source, flags = ''] = /^\/(.+)\/([dgimsuvy]*)$/s.exec(text) ?? [];
  if (source === undefined) return text;
  if (!/^[imsu]*$/.test(flags)) {
    throw new UsageError(
      `expected the flags of --grep to be of i, m, s and u, got: ${JSON.stringify(flags)}`,
    );
  }
  try {
    return new RegExp(source, flags);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new UsageError(`expected --grep to be text or a pattern such as /refund(ed)?/i: ${problem}`);
  }
}

const styles: Readonly<Partial<Record<LevelName, Style>>> = {
  WARNING: 'yellow',
  ERROR: 'red',
  CRITICAL: ['bold', 'red'],
  DEBUG: 'gray',
};

/** The record as it is in the log, in the colour of its level. For a terminal, other lines are made harmless. */
export function plainText({ text, level }: Shown): string {
  if (level === undefined) return process.stdout.isTTY ? text.split('\n').map(printable).join('\n') : text;
  const style = styles[level];
  if (style === undefined) return text;
  return text
    .split('\n')
    .map((line) => styled(style, line))
    .join('\n');
}

/**
 * Makes one line of JSON of a record, with the same fields for every format of the log. A line that is no record
 * becomes its `text`.
 *
 * @param timezone the site's, for the format that writes no offset
 */
export function jsonView(timezone: string): (shown: Shown) => string {
  const timestamps = new Timestamps(timezone, 'iso');
  return ({ text, level }) => {
    const record = level === undefined ? undefined : contentOf(text);
    if (record === undefined) return JSON.stringify({ text });
    const { sender, number, logger, message, fields, trace } = record;
    const time = isoTime(record.time) ?? timestamps.format(recordInstant(record, timezone));
    return JSON.stringify({ time, level, sender, number, logger, message, fields, trace });
  };
}

/** The time of a record as ISO 8601, when it has an offset. */
function isoTime(time: string): string | undefined {
  return /^\d{4}-\d\d-\d\d[ T].*[+-]\d\d:\d\d$/.test(time) ? time.replace(' ', 'T') : undefined;
}
