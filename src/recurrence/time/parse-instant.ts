// Points in time as a person writes them.

import { parseDuration } from '../../base/duration.js';
import { UsageError } from '../../base/errors.js';
import { instantOf, wallTime } from './local-time.js';

/** The rule for a point in time, as it follows "expected …". */
export const pointRule =
  "a date (2026-11-24), a date and a time (2026-11-24T20:00, with a zone as in …+02:00 or Z, else in the site's), a time of today (20:00)";

/** The rule for a point in time or an age, as it follows "expected …". */
export const instantRule = `${pointRule} or how long ago it was (15m, 1h30m, 2d)`;

const timeOfDay = /^\d\d:\d\d(:\d\d)?$/;
const day = /^\d{4}-\d\d-\d\d$/;
const zoned = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * A point in time as a person writes it.
 *
 * @param what the name of the flag, for the error
 * @param allowed the rule that the error quotes
 * @throws UsageError (`LINOD_ERR_USAGE`)
 * @example
 * parseInstant('--since', '20:00', { now: new Date(), timezone: 'Europe/Tallinn' });
 */
export function parseInstant(
  what: string,
  text: string,
  {
    now,
    timezone,
    allowed = instantRule,
  }: { readonly now: Date; readonly timezone: string; readonly allowed?: string },
): Date {
  const found = read(text.trim(), now, timezone);
  if (found !== undefined) return found;
  throw new UsageError(`expected ${what} to be ${allowed}, got: ${JSON.stringify(text)}`);
}

/** The point in time of a flag such as `--since`; undefined without the flag. @throws UsageError (`LINOD_ERR_USAGE`) */
export function givenInstant(flag: string, text: string | undefined, timezone: string): Date | undefined {
  return text === undefined ? undefined : parseInstant(flag, text, { now: new Date(), timezone });
}

function read(text: string, now: Date, timezone: string): Date | undefined {
  if (text === 'now') return now;
  const age = parseDuration(text.replace(/ ago$/, ''));
  if (age !== undefined) return new Date(now.getTime() - age);
  if (timeOfDay.test(text)) return instantOf(`${today(now, timezone)}T${text}`, timezone);
  if (day.test(text)) return instantOf(`${text}T00:00`, timezone);
  const iso = text.replace(/^(\d{4}-\d\d-\d\d) /, '$1T');
  const [, wall] = zoned.exec(iso) ?? [];
  // Date.parse reads 30 February as 1 March.
  if (wall !== undefined) return instantOf(wall, 'UTC') === undefined ? undefined : new Date(iso);
  return instantOf(iso, timezone);
}

function today(now: Date, timezone: string): string {
  return wallTime(now, timezone).slice(0, 'yyyy-mm-dd'.length);
}
