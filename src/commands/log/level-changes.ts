// What `linod log level` is asked for, from the words of the command line.

import { parseDuration } from '../../duration.js';
import { UsageError } from '../../errors.js';
import { rootName } from '../../log/levels/level-tree.js';
import { checkLoggerName } from '../../log/levels/override.js';
import { type LevelName, parseLevel } from '../../log/levels.js';

export interface LevelFlags {
  readonly for?: string;
  readonly reset?: boolean;
}

/** Undefined: only list. */
export type LevelOrder =
  | { readonly set: ReadonlyMap<string, LevelName>; readonly forMs: number | null }
  /** Takes back what was set for these names; for all, where there are none. */
  | { readonly reset: readonly string[] }
  | undefined;

const longestMs = 366 * 86_400_000;

/**
 * @throws UsageError (`LINOD_ERR_USAGE`), LoggerNameError (`LINOD_ERR_LOGGER_NAME`), UnknownLevelError
 *   (`LINOD_ERR_UNKNOWN_LEVEL`)
 */
export function parseLevelOrder(words: readonly string[], flags: LevelFlags): LevelOrder {
  if (flags.reset) {
    if (flags.for !== undefined) throw new UsageError('--reset takes levels back at once; it knows no --for');
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
    // A level alone is meant for all loggers.
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
    `expected --for to be a time from 1 s to 366 d, such as 90s, 15m, 2h or 1d, got: ${JSON.stringify(text)}`,
  );
}
