// Wall times: what a clock on the wall shows, without a zone. Stored as the ms since 1970 of the same reading
// in UTC, so that calendar arithmetic works on plain numbers.

export const dayMs = 86_400_000;

/**
 * The last second of all rules, as a wall time and as an instant. Source: RFC 5545, years have four digits.
 */
export const lastSecondMs = Date.UTC(9999, 11, 31, 23, 59, 59);

const shape = /^[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/;

/** Parses `2024-01-03T10:00:00` or `2024-01-03T10:00`; undefined for an invalid date or time. */
export function parseWallTime(text: string): number | undefined {
  if (!shape.test(text)) return undefined;
  const full = text.length === 16 ? `${text}:00` : text;
  const wall = Date.parse(`${full}Z`);
  // Date.parse turns 30 February into 1 March.
  return Number.isNaN(wall) || formatWallTime(wall) !== full ? undefined : wall;
}

/** Formats a wall time as `2024-01-03T10:00:00`. */
export function formatWallTime(wall: number): string {
  return new Date(wall).toISOString().slice(0, 19);
}

/** The day number of a wall time; 1 January 1970 is 0. */
export function dayOf(wall: number): number {
  return Math.floor(wall / dayMs);
}

/** The weekday of a day number: 0 is Monday, 6 is Sunday. */
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

/** The year of a day number. */
export function yearOf(day: number): number {
  return new Date(day * dayMs).getUTCFullYear();
}
