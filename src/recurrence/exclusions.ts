// Exclusions: days and times of day at which a rule does not run, as lists of short texts.

import { suggestion } from '../base/errors.js';
import { weekdays, weekdaysOfWord } from './notations/vocabulary.js';
import { easterSunday } from './time/easter.js';
import { dayMs, dayOf, weekdayOf, yearOf } from './time/wall-time.js';

/** The syntax of a list of exclusions, as a clause. */
export const excludedRule =
  'a list of weekdays (sat), days of every year (12-25, easter+1), dates (2026-12-24), ranges of these ' +
  '(12-24..01-02) or times of day (09:00-17:00, mon-fri 22:00-06:00)';

/** The days, the beginning and the length of an exclusion. */
interface Shape {
  readonly isOn: (day: number) => boolean;
  /** The time of day, in ms. A whole day begins at 0 and is 24 hours long. */
  readonly beginMs: number;
  readonly lengthMs: number;
  /** Whether times are postponed to the same time of the next day, not to the end of the exclusion. */
  readonly isWholeDay: boolean;
}

const timeOfDay = '([01]\\d|2[0-3]):([0-5]\\d)';
const windowShape = new RegExp(`^(?:([a-z-]+) )?${timeOfDay}-(?:${timeOfDay}|24:00)$`);
const dayShape = /^(?:(?:([1-9]\d{3})-)?(\d\d)-(\d\d)|easter([+-]\d{1,3})?)$/;
const minuteMs = 60_000;
/** The search through consecutive exclusions ends here. */
const farthestDays = 400;

/** One exclusion. Wall times in ms, as in wall-time.ts. */
export class Exclusion {
  /** As the user wrote it. */
  readonly text: string;
  readonly #shape: Shape;

  constructor(text: string, shape: Shape) {
    this.text = text;
    this.#shape = shape;
  }

  has(wall: number): boolean {
    return this.#beginOf(wall) !== Number.POSITIVE_INFINITY;
  }

  /** The new time of an excluded wall time. */
  postpone(wall: number): number {
    return this.#shape.isWholeDay ? wall + dayMs : this.#beginOf(wall) + this.#shape.lengthMs;
  }

  /** The first wall time after `wall`, which is excluded, that this does not exclude. */
  endOf(wall: number): number {
    const { isOn, lengthMs, isWholeDay } = this.#shape;
    let begin = this.#beginOf(wall);
    const farthest = begin + farthestDays * dayMs;
    while (isWholeDay && begin < farthest && isOn(dayOf(begin) + 1)) begin += dayMs;
    return begin + lengthMs;
  }

  /** The earliest wall time that is postponed past `wall`; infinity if there is none. */
  earliestPostponedPast(wall: number): number {
    const { isWholeDay, isOn } = this.#shape;
    if (isWholeDay && isOn(dayOf(wall) - 1)) return wall - dayMs + 1;
    return this.#beginOf(wall);
  }

  /** The next beginning later than `wall` and up to `upTo`; infinity if there is none. */
  beginAfter(wall: number, upTo: number): number {
    const { isOn, beginMs } = this.#shape;
    for (let day = dayOf(wall); day * dayMs + beginMs <= upTo; day++)
      if (day * dayMs + beginMs > wall && isOn(day)) return day * dayMs + beginMs;
    return Number.POSITIVE_INFINITY;
  }

  /**
   * The beginning of the range around this wall time, on that day or the one before; infinity if there is
   * none.
   */
  #beginOf(wall: number): number {
    const { isOn, beginMs, lengthMs } = this.#shape;
    for (const day of [dayOf(wall), dayOf(wall) - 1]) {
      const begin = day * dayMs + beginMs;
      if (begin <= wall && wall < begin + lengthMs && isOn(day)) return begin;
    }
    return Number.POSITIVE_INFINITY;
  }
}

/** A parsed list of exclusions. */
export class Exclusions {
  readonly #list: readonly Exclusion[];

  /** @throws RangeError with the first invalid entry */
  constructor(entries: readonly string[]) {
    this.#list = entries.map((entry) => {
      const text = entry.trim().toLowerCase();
      const shape = parse(text);
      if (shape !== null) return new Exclusion(text, shape);
      throw new RangeError(`expected ${excludedRule}, got: ${JSON.stringify(entry)}`);
    });
  }

  get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  /** The first exclusion in the list for a wall time, if there is one. */
  at(wall: number): Exclusion | undefined {
    return this.#list.find((exclusion) => exclusion.has(wall));
  }

  /**
   * The new time of an excluded wall time. It is the end of a time window. For a day, it is the same time on
   * the next day that is not excluded. Null if all of the next 400 days are excluded.
   */
  postponed(wall: number): number | null {
    const farthest = wall + farthestDays * dayMs;
    let at = wall;
    while (at <= farthest) {
      const exclusion = this.at(at);
      if (exclusion === undefined) return at;
      at = exclusion.postpone(at);
    }
    return null;
  }

  /** No time before the result is postponed past `wall`. The result is `wall` itself if nothing is. */
  earliestPostponedPast(wall: number): number {
    const farthest = wall - farthestDays * dayMs;
    let reach = wall;
    while (reach > farthest) {
      const earlier = Math.min(...this.#list.map((exclusion) => exclusion.earliestPostponedPast(reach)));
      if (earlier > reach) break;
      // A time that is postponed to this very time is postponed again.
      reach = earlier - 1;
    }
    return reach;
  }

  /** The next beginning of an exclusion, later than `wall` and up to `upTo`; infinity if there is none. */
  beginAfter(wall: number, upTo: number): number {
    return Math.min(...this.#list.map((exclusion) => exclusion.beginAfter(wall, upTo)));
  }
}

/** Whether this is a list of exclusions. */
export function isExcludedList(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= 366 &&
    value.every((entry) => typeof entry === 'string' && parse(entry.trim().toLowerCase()) !== null)
  );
}

/**
 * The invalid entry of a list, with a hint: `"saterday", did you mean "saturday"?`; null for other problems.
 */
export function wrongEntry(value: unknown): string | null {
  const wrong: unknown = Array.isArray(value) ? value.find((entry) => !isExcludedList([entry])) : undefined;
  if (typeof wrong !== 'string') return null;
  const hint = /^[a-z]+$/i.test(wrong) ? suggestion(wrong, weekdays) : '';
  return `${JSON.stringify(wrong)}${hint}`;
}

function parse(entry: string): Shape | null {
  return parseWeekdays(entry) ?? parseWindow(entry) ?? parseDays(entry);
}

function daysWhere(isOn: (day: number) => boolean): Shape {
  return { isOn, beginMs: 0, lengthMs: dayMs, isWholeDay: true };
}

function parseWeekdays(entry: string): Shape | null {
  const isOn = weekdayTest(entry);
  return isOn === null ? null : daysWhere(isOn);
}

/** A test for the weekdays that a word such as `sat`, `weekend` or `fri-mon` names; null if it names none. */
function weekdayTest(word: string): ((day: number) => boolean) | null {
  const names = weekdaysOfWord(word);
  return names === undefined ? null : (day) => names.some((name) => name === weekdays[weekdayOf(day)]);
}

/**
 * `09:00-17:00`. If the end is before the beginning, the window belongs to the day of its beginning and
 * passes midnight.
 */
function parseWindow(entry: string): Shape | null {
  const [matched, days, hour, minute, endHour = '24', endMinute = '00'] = windowShape.exec(entry) ?? [];
  if (matched === undefined) return null;
  const isOn = days === undefined ? () => true : weekdayTest(days);
  if (isOn === null) return null;
  const begin = (Number(hour) * 60 + Number(minute)) * minuteMs;
  const end = (Number(endHour) * 60 + Number(endMinute)) * minuteMs;
  if (begin === end) return null;
  const lengthMs = end > begin ? end - begin : end + dayMs - begin;
  return { isOn, beginMs: begin, lengthMs, isWholeDay: false };
}

/** The number of a calendar day in a year; NaN in years without it. */
type DayIn = (year: number) => number;

function parseDays(entry: string): Shape | null {
  const words = entry.split('..');
  const [from = null, to = from] = words.map(parseDay);
  if (words.length > 2 || from === null || to === null) return null;
  if ((from.year === null) !== (to.year === null)) return null;
  if (from.year !== null && to.year !== null) {
    const [first, last] = [from.dayIn(from.year), to.dayIn(to.year)];
    return first <= last ? daysWhere((day) => first <= day && day <= last) : null;
  }
  const isSince = (year: number, day: number): boolean => {
    const first = from.dayIn(year);
    const last = [year, year + 1].map(to.dayIn).find((end) => end >= first) ?? Number.NaN;
    return first <= day && day <= last;
  };
  // `12-24..01-02` begins in the previous year.
  return daysWhere((day) => isSince(yearOf(day), day) || isSince(yearOf(day) - 1, day));
}

function parseDay(entry: string): { year: number | null; dayIn: DayIn } | null {
  const [matched, year, month, date, afterEaster = '0'] = dayShape.exec(entry) ?? [];
  if (matched === undefined) return null;
  if (month === undefined) return { year: null, dayIn: (y) => easterSunday(y) + Number(afterEaster) };
  const dayIn: DayIn = (y) => {
    const at = Date.UTC(y, Number(month) - 1, Number(date));
    // Date.UTC turns 30 February into 1 March.
    return new Date(at).getUTCDate() === Number(date) ? dayOf(at) : Number.NaN;
  };
  // Accepts 29 February, which is a day of some years.
  const known =
    Number(month) >= 1 &&
    Number(month) <= 12 &&
    !Number.isNaN(dayIn(year === undefined ? 2024 : Number(year)));
  return known ? { year: year === undefined ? null : Number(year), dayIn } : null;
}
