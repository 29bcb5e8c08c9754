// Days and times of day at which a rule does not run, as lists of short texts.

import { suggestion } from '../errors.js';
import { easterSunday } from './easter.js';
import { weekdayNames, weekdaysOfWord } from './notations/vocabulary.js';
import { dayMs, dayOf, modulo, weekdayOf, yearOf } from './wall-time.js';

/** What a list of exclusions may be, as a clause. */
export const excludedRule =
  'a list of weekdays (sat), days of every year (12-25, easter+1), dates (2026-12-24), ranges of these (12-24..01-02) or times of day (09:00-17:00, mon-fri 22:00-06:00)';

/** Some time that is excluded, as wall times. */
export interface Exclusion {
  /** As it was written. */
  readonly text: string;
  /** Whether it is excluded at a wall time in ms, as in wall-time.ts. */
  has(wall: number): boolean;
  /** Where what falls on `wall`, which is excluded, is put off to: behind a window, or to the same time of the day after. */
  putOff(wall: number): number;
  /** The first wall time behind `wall`, which is excluded, that is not excluded by this. */
  endOf(wall: number): number;
  /** The earliest wall time that is put off to later than `wall`; infinity if there is none. */
  reachOver(wall: number): number;
  /** Where it begins next, later than `wall` and up to `upTo`; infinity if it does not. */
  beginAfter(wall: number, upTo: number): number;
}

type Shape = Omit<Exclusion, 'text'>;

const weekdayWord = '([a-z]{3,10})';
const timeOfDay = '([01]\\d|2[0-3]):([0-5]\\d)';
const weekdayShape = new RegExp(`^${weekdayWord}(?:-${weekdayWord})?$`);
const windowShape = new RegExp(
  `^(?:${weekdayWord}(?:-${weekdayWord})? )?${timeOfDay}-(?:${timeOfDay}|24:00)$`,
);
const dayShape = /^(?:(?:([1-9]\d{3})-)?(\d\d)-(\d\d)|easter([+-]\d{1,3})?)$/;
const minuteMs = 60_000;
/** Where exclusions follow upon one another without an end, nobody looks further. */
const farthestDays = 400;

/** A list of exclusions that was understood. */
export class Exclusions {
  readonly #list: readonly Exclusion[];

  /** @throws RangeError naming the first entry that is not understood */
  constructor(entries: readonly string[]) {
    this.#list = entries.map((entry) => {
      const text = entry.trim().toLowerCase();
      const shape = parse(text);
      if (shape !== null) return { text, ...shape };
      throw new RangeError(`expected ${excludedRule}, got: ${JSON.stringify(entry)}`);
    });
  }

  get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  /** Whether a rule does not run at a wall time. */
  has(wall: number): boolean {
    return this.at(wall) !== undefined;
  }

  /** What excludes a wall time, if anything does: the first of the list. */
  at(wall: number): Exclusion | undefined {
    return this.#list.find((exclusion) => exclusion.has(wall));
  }

  /**
   * Where what falls on an excluded wall time is put off to: behind a window of the day; for a day, to the same time on
   * the next day that is not excluded. Null if all of the next 400 days are.
   */
  postponed(wall: number): number | null {
    const farthest = wall + farthestDays * dayMs;
    let at = wall;
    while (at <= farthest) {
      const exclusion = this.at(at);
      if (exclusion === undefined) return at;
      at = exclusion.putOff(at);
    }
    return null;
  }

  /** A wall time before which nothing is put off to later than `wall`; `wall` itself if nothing is at all. */
  reachOver(wall: number): number {
    const farthest = wall - farthestDays * dayMs;
    let reach = wall;
    while (reach > farthest) {
      const earlier = Math.min(...this.#list.map((exclusion) => exclusion.reachOver(reach)));
      if (earlier > reach) break;
      // What is put off to just there is put off again.
      reach = earlier - 1;
    }
    return reach;
  }

  /** Where something begins to be excluded, later than `wall` and up to `upTo`; infinity if nothing does. */
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
 * Which entry of a list is none, for people: `"saterday", did you mean "saturday"?`; null where it is another thing that is
 * wrong.
 */
export function wrongEntry(value: unknown): string | null {
  const wrong: unknown = Array.isArray(value) ? value.find((entry) => !isExcludedList([entry])) : undefined;
  if (typeof wrong !== 'string') return null;
  const hint = /^[a-z]+$/i.test(wrong) ? suggestion(wrong, weekdayNames) : '';
  return `${JSON.stringify(wrong)}${hint}`;
}

function parse(entry: string): Shape | null {
  return parseWeekdays(entry) ?? parseWindow(entry) ?? parseDays(entry);
}

/** A day that is excluded as a whole: what falls on it is put off to the same time of the day after. */
function daysWhere(isExcluded: (day: number) => boolean): Shape {
  return {
    has: (wall) => isExcluded(dayOf(wall)),
    putOff: (wall) => wall + dayMs,
    endOf: (wall) => {
      const last = dayOf(wall) + farthestDays;
      let day = dayOf(wall) + 1;
      while (day < last && isExcluded(day)) day++;
      return day * dayMs;
    },
    reachOver: (wall) => {
      if (isExcluded(dayOf(wall) - 1)) return wall - dayMs + 1;
      return isExcluded(dayOf(wall)) ? dayOf(wall) * dayMs : Number.POSITIVE_INFINITY;
    },
    beginAfter: (wall, upTo) => {
      for (let day = dayOf(wall) + 1; day * dayMs <= upTo; day++) if (isExcluded(day)) return day * dayMs;
      return Number.POSITIVE_INFINITY;
    },
  };
}

function parseWeekdays(entry: string): Shape | null {
  const [matched, from, to] = weekdayShape.exec(entry) ?? [];
  if (matched === undefined || from === undefined) return null;
  const isIn = weekdaysFrom(from, to);
  return isIn === null ? null : daysWhere(isIn);
}

/** Whether the weekday of a day lies from one to another; `fri` to `mon` is four days. Null if one of them is none. */
function weekdaysFrom(from: string, to = from): ((day: number) => boolean) | null {
  // `weekend` is two days.
  const first = weekdayNames.indexOf(weekdaysOfWord(from)?.at(0) ?? '');
  const last = weekdayNames.indexOf(weekdaysOfWord(to)?.at(-1) ?? '');
  if (first < 0 || last < 0) return null;
  const length = modulo(last - first, 7);
  return (day) => modulo(weekdayOf(day) - first, 7) <= length;
}

/** `09:00-17:00`; one that ends before it begins goes on past midnight and belongs to the day that it begins on. */
function parseWindow(entry: string): Shape | null {
  const [matched, from, to, hour, minute, endHour = '24', endMinute = '00'] = windowShape.exec(entry) ?? [];
  if (matched === undefined) return null;
  const isOn = from === undefined ? () => true : weekdaysFrom(from, to);
  if (isOn === null) return null;
  const begin = (Number(hour) * 60 + Number(minute)) * minuteMs;
  const end = (Number(endHour) * 60 + Number(endMinute)) * minuteMs;
  if (begin === end) return null;
  const lengthMs = end > begin ? end - begin : end + dayMs - begin;
  const beginsOn = (day: number, wall: number): boolean => {
    const at = day * dayMs + begin;
    return at <= wall && wall < at + lengthMs && isOn(day);
  };
  /** Where the window that has this wall time begins; infinity if none has. */
  const beginOf = (wall: number): number => {
    const day = dayOf(wall);
    if (beginsOn(day, wall)) return day * dayMs + begin;
    return beginsOn(day - 1, wall) ? (day - 1) * dayMs + begin : Number.POSITIVE_INFINITY;
  };
  const behind = (wall: number): number => beginOf(wall) + lengthMs;
  return {
    has: (wall) => beginOf(wall) !== Number.POSITIVE_INFINITY,
    putOff: behind,
    endOf: behind,
    reachOver: beginOf,
    beginAfter: (wall, upTo) => {
      for (let day = dayOf(wall); day * dayMs + begin <= upTo; day++)
        if (day * dayMs + begin > wall && isOn(day)) return day * dayMs + begin;
      return Number.POSITIVE_INFINITY;
    },
  };
}

/** A day of the calendar as it is in a year; NaN in years that do not have it. */
type DayIn = (year: number) => number;

function parseDays(entry: string): Shape | null {
  const words = entry.split('..');
  const [from, to = from] = words.map(parseDay);
  if (words.length > 2 || from === null || from === undefined || to === null || to === undefined) return null;
  if ((from.year === null) !== (to.year === null)) return null;
  if (from.year !== null && to.year !== null) {
    const [first, last] = [from.dayIn(from.year), to.dayIn(to.year)];
    return first <= last ? daysWhere((day) => first <= day && day <= last) : null;
  }
  const spanFrom = memoized((begin: number): DaySpan => {
    const first = from.dayIn(begin);
    const last = [begin, begin + 1].map(to.dayIn).find((end) => end >= first);
    return { first, last: last ?? Number.NaN };
  });
  const isWithin = (day: number, { first, last }: DaySpan): boolean => first <= day && day <= last;
  return daysWhere((day) => {
    const year = yearOf(day);
    // `12-24..01-02` begins in the year before.
    return isWithin(day, spanFrom(year)) || isWithin(day, spanFrom(year - 1));
  });
}

/** The numbers of two days; NaN where there are none. */
interface DaySpan {
  readonly first: number;
  readonly last: number;
}

/** A function of the year that works out each year once. */
function memoized<T>(ofYear: (year: number) => T): (year: number) => T {
  const known = new Map<number, T>();
  return (year) => {
    const value = known.get(year) ?? ofYear(year);
    known.set(year, value);
    return value;
  };
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
  // Also 29 February must be a day of some year.
  const known =
    Number(month) >= 1 &&
    Number(month) <= 12 &&
    !Number.isNaN(dayIn(year === undefined ? 2024 : Number(year)));
  return known ? { year: year === undefined ? null : Number(year), dayIn } : null;
}
