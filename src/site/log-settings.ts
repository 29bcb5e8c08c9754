// What a site can choose about its log.

import { LinodError } from '../base/errors.js';
import type { LevelName } from '../base/log-levels.js';

/** The formats of a log, as the setting `logFormat` names them. */
export const formatNames = ['text', 'lino', 'json', 'logfmt'] as const;
export type FormatName = (typeof formatNames)[number];

/** How often, in the clocks of the site's zone: at each full hour, or at midnight. */
export const rotationPeriods = ['never', 'hourly', 'daily'] as const;
export type RotationPeriod = (typeof rotationPeriods)[number];

export interface RotationPolicy {
  readonly every: RotationPeriod;
  /** A file of at least so many bytes is followed by the next; 0: of any size. */
  readonly maxBytes: number;
  /** How many rotated files are kept; 0: all. */
  readonly keepFiles: number;
  /** How many days a rotated file is kept; 0: for ever. */
  readonly keepDays: number;
  /** Whether rotated files are compressed. */
  readonly compress: boolean;
}

/** When the disk is waited for. */
export const syncPolicies = ['always', 'batch', 'never'] as const;
export type SyncPolicy = (typeof syncPolicies)[number];

/** What becomes of a spool that is full: the records in it stay, or they make room for new ones. */
export const spoolKeeps = ['oldest', 'newest'] as const;
export type SpoolKeeps = (typeof spoolKeeps)[number];

/** The name above all others: what is set for it holds for every logger. */
export const rootName = 'root';

/** Levels by logger names. */
export type LevelsByName = Readonly<Record<string, LevelName>>;

/** A path of a value that is not shown: names with dots between them, `*`, `[0]`, `["set-cookie"]`. */
export const redactPathPattern =
  /^(?:[^.[\]*"']+|\*|\[(?:\d+|\*|"[^"]*"|'[^']*')\])(?:\.(?:[^.[\]*"']+|\*)|\[(?:\d+|\*|"[^"]*"|'[^']*')\])*$/;

/** What a logger's name looks like. */
export const loggerNamePattern = /^(?=.{1,120}$)[\w@+-]+(\.[\w@+-]+)*$/;

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
  if (!loggerNamePattern.test(name)) throw new LoggerNameError(name);
  return name;
}
