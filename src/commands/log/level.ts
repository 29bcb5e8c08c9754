// linod log level: shows the levels of loggers and changes them at run time.

import type { Command } from 'commander';
import { durationRule, parseDuration } from '../../base/duration.js';
import { UsageError } from '../../base/errors.js';
import { type LevelName, parseLevel } from '../../base/log-levels.js';
import { printable } from '../../log/format/unsafe.js';
import { announceLevels, heardBy, resetLevels, setLevels } from '../../log/levels/change.js';
import { LevelsFile, levelAt } from '../../log/levels/overrides.js';
import { localTime } from '../../recurrence/time/local-time.js';
import { checkLoggerName, rootName } from '../../site/log-settings.js';
import { configuredLevels } from '../../site/settings.js';
import type { Site } from '../../site/site.js';
import { findSite, person, type SiteJsonFlags, siteCommand, tellSwitchedOff } from '../main.js';
import { printJson, printTable, say } from '../views/output.js';

interface Flags extends SiteJsonFlags {
  readonly for?: string;
  readonly reset?: boolean;
}

const longestMs = 366 * 86_400_000;

export function levelCommand(): Command {
  return siteCommand(
    'level',
    'show the levels of loggers, and change them while programs run',
    `Without changes it lists the levels. A change reaches the processes of the site on this machine within a second. A
process that starts later has it from its start. Other machines get it over the channel layer. A level with --for
ends by itself.

Example:
  $ linod log level
  $ linod log level shop.orders=DEBUG --for 15m
  $ linod log level DEBUG --for 1h
  $ linod log level shop.orders --reset`,
  )
    .argument(
      '[changes...]',
      'NAME=LEVEL for a logger and those below it, or a LEVEL for all; with --reset, names',
    )
    .option('--for <time>', 'how long the level holds: 90s, 15m, 2h, 1d (default: until it is reset)')
    .option('--reset', 'remove the levels that were set here, for these names or for all')
    .action(async (words: string[], flags: Flags) => {
      const order = parseLevelOrder(words, flags);
      const site = await findSite(flags);
      if (!site.settings.useLinod) tellSwitchedOff(site);
      if (order !== undefined) {
        const by = `${person()}`;
        const change =
          'reset' in order ? resetLevels(site, by, order.reset) : setLevels(site, by, order.set, order.forMs);
        if (change.length === 0) say('no level was set here');
        else {
          const [unsent, applied] = await Promise.all([announceLevels(site, change), heardBy(site, change)]);
          if (unsent !== undefined)
            say(`other machines were not notified; repeat the command when the layer is back: ${unsent}`);
          sayWhoApplied(applied);
        }
      }
      await list(site, flags.json ?? false);
    });
}

interface Row {
  readonly logger: string;
  readonly level: string;
  readonly until: string | null;
  readonly by: string;
}

async function list(site: Site, asJson: boolean): Promise<void> {
  const now = Date.now();
  const file = new LevelsFile(site.logDirectory);
  const overrides = file.read();
  if (overrides === undefined) say(`${site.shorten(file.path)} is not readable and is ignored`);
  const rows = new Map<string, Row>();
  for (const [logger, level] of Object.entries(configuredLevels(site.settings))) {
    rows.set(logger, { logger, level, until: null, by: 'settings' });
  }
  for (const override of overrides ?? []) {
    const level = levelAt(override, now);
    if (level === undefined) continue;
    const { name: logger, by } = override;
    const until =
      override.until === null
        ? null
        : localTime(new Date(Math.ceil(override.until / 1000) * 1000), site.settings.timezone);
    rows.set(logger, { logger, level, until, by });
  }
  const sorted = [...rows.values()].sort((a, b) => rank(a).localeCompare(rank(b)));
  if (asJson) return printJson(sorted);
  printTable(
    [
      { title: 'LOGGER', cell: (row: Row) => row.logger },
      { title: 'LEVEL', cell: (row) => row.level },
      { title: 'UNTIL', cell: (row) => row.until ?? (row.by === 'settings' ? '' : 'it is reset') },
      { title: 'BY', cell: (row) => printable(row.by) },
    ],
    sorted,
  );
}

/** Sorts the root logger first. */
function rank({ logger }: Row): string {
  return logger === 'root' ? '' : logger;
}

function sayWhoApplied(processes: readonly string[]): void {
  if (processes.length === 0)
    say('no process on this machine has applied it yet: none runs, or it is suspended or busy');
  else say(`applied by ${processes.length} on this machine: ${processes.join(', ')}`);
}

/** What the command changes; undefined to list only. */
type LevelOrder =
  | { readonly set: ReadonlyMap<string, LevelName>; readonly forMs: number | null }
  /** Removes the levels of these names; of all, when empty. */
  | { readonly reset: readonly string[] }
  | undefined;

/**
 * @throws UsageError (`LINOD_ERR_USAGE`), LoggerNameError (`LINOD_ERR_LOGGER_NAME`), UnknownLevelError
 *   (`LINOD_ERR_UNKNOWN_LEVEL`)
 */
function parseLevelOrder(words: readonly string[], flags: Flags): LevelOrder {
  if (flags.reset) {
    if (flags.for !== undefined) throw new UsageError('--reset removes levels at once; it takes no --for');
    return { reset: words.map(readName) };
  }
  if (words.length > 0) return { set: readChanges(words), forMs: readDuration(flags.for) };
  if (flags.for !== undefined)
    throw new UsageError('--for needs a level: linod log level shop.orders=DEBUG --for 15m');
  return undefined;
}

function readName(word: string): string {
  const [, level] = word.split('=');
  if (level !== undefined)
    throw new UsageError(`--reset takes names without levels, got: ${JSON.stringify(word)}`);
  return checkLoggerName(word);
}

function readChanges(words: readonly string[]): Map<string, LevelName> {
  const changes = new Map<string, LevelName>();
  for (const word of words) {
    const at = word.indexOf('=');
    // A level without a name is for all loggers.
    const name = at < 0 ? rootName : checkLoggerName(word.slice(0, at));
    const { value } = parseLevel(word.slice(at + 1));
    if (changes.has(name)) throw new UsageError(`two levels for ${JSON.stringify(name)}`);
    changes.set(name, value);
  }
  return changes;
}

function readDuration(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 1000 && ms <= longestMs) return ms;
  throw new UsageError(
    `expected --for to be ${durationRule}, from 1 s to 366 d, got: ${JSON.stringify(text)}`,
  );
}
