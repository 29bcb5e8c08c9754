// Instants as people read them.

import { parseWallTime } from './recurrence/wall-time.js';
import { Zone } from './recurrence/zone.js';
import { InvalidRecurrenceError } from './recurrence.js';

/**
 * ISO 8601 in a zone, to the second, or to the millisecond where there are some: `2026-11-25T20:00:00+02:00`.
 *
 * @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`) for an unknown zone
 */
export function localTime(instant: Date, timezone: string): string {
  const offsetMs = offset(instant, timezone);
  const wall = wallTime(instant, timezone);
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  const sign = offsetMs < 0 ? '-' : '+';
  const two = (number: number) => String(number).padStart(2, '0');
  return `${wall.replace('.000', '')}${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** What the clocks of a zone show at an instant, `2026-11-25T20:00:00.000`. @throws as {@link localTime} */
export function wallTime(instant: Date, timezone: string): string {
  return new Date(instant.getTime() + offset(instant, timezone)).toISOString().slice(0, -1);
}

/**
 * When the clocks of a zone show a wall time, `2026-11-25T20:00` or with seconds: the first time if they show it twice,
 * and as if they had not been moved if they skip it. Undefined for what is no wall time.
 *
 * @throws as {@link localTime}
 */
export function instantOf(wall: string, timezone: string): Date | undefined {
  const ms = parseWallTime(wall);
  if (ms === undefined) return undefined;
  const shown = zoneOf(timezone).whenShowing(ms);
  if (shown.kind === 'once') return new Date(shown.instant);
  return new Date(shown.kind === 'twice' ? shown.first : shown.shifted);
}

function offset(instant: Date, timezone: string): number {
  return zoneOf(timezone).offsetAt(instant.getTime());
}

function zoneOf(timezone: string): Zone {
  const zone = Zone.named(timezone);
  if (zone === undefined) throw new InvalidRecurrenceError('timezone', 'an IANA time zone', timezone);
  return zone;
}
