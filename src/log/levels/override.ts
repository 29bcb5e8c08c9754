// A level that was set while the programs of a site run: what it is, and how it is written down.

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
  /** The name of a directory beside it in which each process that has taken it over leaves a file. */
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

/** @throws LoggerNameError (`LINOD_ERR_LOGGER_NAME`) */
export function checkLoggerName(name: string): string {
  if (name.length > 120 || !/^[\w@+-]+(\.[\w@+-]+)*$/.test(name)) throw new LoggerNameError(name);
  return name;
}

/** The level that an override means at an instant; undefined for none. */
export function levelAt(override: LevelOverride, now: number): LevelName | undefined {
  if (override.level === null || (override.until !== null && override.until <= now)) return undefined;
  return override.level;
}

const instant = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.transform((text) => Date.parse(text)),
  v.finite(),
);

const written = v.object({
  level: v.nullable(v.picklist(Array.from(LogLevels, ({ value }) => value))),
  at: instant,
  until: v.nullable(instant),
  by: v.pipe(v.string(), v.maxLength(200)),
  receipts: v.optional(v.pipe(v.string(), v.regex(/^\.receipts-[\w-]{1,60}$/))),
});

/** The text of the file that says it. */
export function formatOverride({ level, at, until, by, receipts }: LevelOverride): string {
  const untilText = until === null ? null : new Date(until).toISOString();
  return `${JSON.stringify({ level, at: new Date(at).toISOString(), until: untilText, by, receipts })}\n`;
}

/** Undefined for a text that is none. */
export function parseOverride(name: string, text: string): LevelOverride | undefined {
  try {
    const parsed = v.safeParse(written, JSON.parse(text));
    return parsed.success ? { name, ...parsed.output } : undefined;
  } catch {
    return undefined; // no JSON
  }
}
