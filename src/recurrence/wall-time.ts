// Wall times: what a clock on the wall shows, without a zone. Kept as the milliseconds that the same reading
// in UTC would be since 1970, so that the calendar can be worked out on plain numbers.

export const dayMs = 86_400_000;

/** The last second that rules reach, as a wall time and as an instant. Source: RFC 5545, years have four digits. */
export const lastSecondMs = Date.UTC(9999, 11, 31, 23, 59, 59);

const shape = /^[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/;

/** Reads `2024-01-03T10:00:00` or `2024-01-03T10:00`; undefined if that is no date and time of the calendar. */
export function parseWallTime(text: string): number | undefined {
  if (!shape.test(text)) return undefined;
  const full = text.length === 16 ? `${text}:00` : text;
  const wall = Date.parse(`${full}Z`);
  // Date.parse turns 30 February into 1 March.
  return Number.isNaN(wall) || formatWallTime(wall) !== full ? undefined : wall;
}

/** Writes a wall time as `2024-01-03T10:00:00`. */
export function formatWallTime(wall: number): string {
  return new Date(wall).toISOString().slice(0, 19);
}

/** The number of a wall time's day, 1 January 1970 being 0. */
export function dayOf(wall: number): number {
  return Math.floor(wall / dayMs);
}

/** The weekday of a day's number: 0 is Monday, 6 Sunday. */
export function weekdayOf(day: number): number {
  return modulo(day + 3, 7);
}

/** The remainder of a division, never negative. */
export function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

/** The greatest common divisor of two positive whole numbers. */
export function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** The year of a day's number. */
export function yearOf(day: number): number {
  return new Date(day * dayMs).getUTCFullYear();
}
