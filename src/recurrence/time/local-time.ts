// Instants as people read them.

import { DateTime } from 'luxon';
import { knownZone } from '../fields.js';
import { parseWallTime } from './wall-time.js';

/**
 * ISO 8601 in a zone, to the second, or to the millisecond where there are some: `2026-11-25T20:00:00+02:00`.
 *
 * @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`) for an unknown zone
 */
export function localTime(instant: Date, timezone: string): string {
  const local = inZone(instant, timezone);
  const fraction = local.millisecond === 0 ? '' : '.SSS';
  return local.toFormat(`yyyy-MM-dd'T'HH:mm:ss${fraction}ZZ`);
}

/** What the clocks of a zone show at an instant, `2026-11-25T20:00:00.000`. @throws as {@link localTime} */
export function wallTime(instant: Date, timezone: string): string {
  return inZone(instant, timezone).toFormat("yyyy-MM-dd'T'HH:mm:ss.SSS");
}

/**
 * When the clocks of a zone show a wall time, `2026-11-25T20:00` or with seconds: the first time if they show it twice,
 * and as if they had not been moved if they skip it. Undefined for what is no wall time.
 *
 * @throws as {@link localTime}
 */
export function instantOf(wall: string, timezone: string): Date | undefined {
  const ms = parseWallTime(wall);
  return ms === undefined ? undefined : new Date(knownZone(timezone).instantOf(ms));
}

/** luxon answers an unknown zone with an invalid date. */
function inZone(instant: Date, timezone: string): DateTime {
  const local = DateTime.fromJSDate(instant, { zone: timezone });
  if (!local.isValid) knownZone(timezone);
  return local;
}
