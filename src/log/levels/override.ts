// A level that was set while the programs of a site run.

import * as v from 'valibot';
import { LinodError } from '../../errors.js';
import { type LevelName, LogLevels } from '../levels.js';

/** A level for the loggers of a name and those below it. */
export interface LevelOverride {
  readonly name: string;
  /** Null: taken back. It is kept for a while, so that an older one that comes later from elsewhere does not count. */
  readonly level: LevelName | null;
  /** When it was set, in ms since 1970. Of two for one name the later counts. */
  readonly at: number;
  /** From when on it does not hold any more; null: until it is taken back. */
  readonly until: number | null;
  /** Who set it. */
  readonly by: string;
  /** The name of a directory in which each process of this machine that has taken it over leaves a file. */
  readonly receipts?: string | undefined;
}

/** No logger has such a name. */
export class LoggerNameError extends LinodError {
  constructor(found: string) {
    super(
      'LINOD_ERR_LOGGER_NAME',
      `expected a logger's name, dotted, of letters, digits, "_", "@", "+" and "-", such as "shop.orders" (or "root" for all), got: ${JSON.stringify(found)}`,
    );
  }
}

const namePattern = /^(?=.{1,120}$)[\w@+-]+(\.[\w@+-]+)*$/;

/** @throws LoggerNameError (`LINOD_ERR_LOGGER_NAME`) */
export function checkLoggerName(name: string): string {
  if (!namePattern.test(name)) throw new LoggerNameError(name);
  return name;
}

/** The level that an override means at an instant; undefined for none. */
export function levelAt(override: LevelOverride, now: number): LevelName | undefined {
  if (override.level === null || (override.until !== null && override.until <= now)) return undefined;
  return override.level;
}

/** What is said about so many names is enough for any site. */
export const maxOverrides = 500;

const instant = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** As they are written down and sent. */
export const overridesSchema = v.pipe(
  v.array(
    v.object({
      name: v.pipe(v.string(), v.regex(namePattern)),
      level: v.nullable(v.picklist(Array.from(LogLevels, ({ value }) => value))),
      at: instant,
      until: v.nullable(instant),
      by: v.pipe(v.string(), v.maxLength(200)),
      receipts: v.optional(v.pipe(v.string(), v.regex(/^\.receipts-[\w-]{1,60}$/))),
    }),
  ),
  v.maxLength(maxOverrides),
);
