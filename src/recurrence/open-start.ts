// Open starts have no date: they begin on the first fitting day from the day on which a rule is created.

import { InvalidRecurrenceError } from './fields.js';
import { daysAfterEaster } from './time/easter.js';
import { dayMs, dayOf, formatWallTime, parseWallTime } from './time/wall-time.js';

/** `T10:00:00` any day; `---15T…` the 15th; `--12-24T…` 24 December; `easter-2T…` two days before Easter. */
const shape = /^(?:---(\d\d)|--(\d\d)-(\d\d)|easter([+-]\d{1,3}))?T(\d\d:\d\d(?::\d\d)?)$/;

/** 29 February can be eight years away. */
const searchDays = 8 * 366;

/** Whether a start has no date. */
export function isOpenStart(start: string): boolean {
  return /^(T|--|easter)/.test(start);
}

/**
 * Adds the date to an open start. Returns other starts unchanged.
 *
 * @param since the wall time of the first possible day: `2026-11-24T12:00:00`
 * @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`) for an open start without a valid day or
 *   time
 */
export function completeStart(start: string, since: string): string {
  if (!isOpenStart(start)) return start;
  const [, day, month, dayOfMonth, easter, time] = shape.exec(start) ?? [];
  const first = dayOf(parseWallTime(since.slice(0, 'yyyy-mm-ddThh:mm:ss'.length)) ?? Number.NaN);
  for (let n = first; time !== undefined && n <= first + searchDays; n++) {
    const date = formatWallTime(n * dayMs).slice(0, 'yyyy-mm-dd'.length);
    const fits =
      (day === undefined || date.endsWith(`-${day}`)) &&
      (month === undefined || date.endsWith(`-${month}-${dayOfMonth}`)) &&
      (easter === undefined || isEasterDay(n, Number(easter)));
    if (fits) return `${date}T${time}`;
  }
  if (time !== undefined) throw new InvalidRecurrenceError('start', 'a day that the calendar has', start);
  throw new InvalidRecurrenceError('start', startRule, start);
}

/** The allowed values of `startDatetime`, for errors. */
const startRule =
  'a wall time such as 2024-01-03T10:00:00, or one that leaves the day open: T10:00:00, ' +
  '---15T10:00:00 (the 15th), --12-24T10:00:00 (24 December), easter-2T10:00:00';

/**
 * Runs `read`, and names `startDatetime` in its errors: a user knows this field, not the recurrence's
 * `start`.
 *
 * @throws InvalidRecurrenceError about `startDatetime`
 */
export function readingStartDatetime<T>(startDatetime: string | null, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidRecurrenceError) || error.field !== 'start') throw error;
    if (startDatetime === null || parseWallTime(startDatetime) !== undefined || isOpenStart(startDatetime))
      throw error.as('startDatetime');
    throw new InvalidRecurrenceError('startDatetime', startRule, startDatetime);
  }
}

/** Checks only the Easter of the day's own year, as rules do. */
function isEasterDay(day: number, offset: number): boolean {
  return daysAfterEaster(day) === offset;
}
