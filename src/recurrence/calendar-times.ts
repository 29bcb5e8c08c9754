// The times of a rule on the calendar, without zones and clock changes: wall times as in wall-time.ts. rrule
// calculates days, weeks, months and years; croner calculates cron.

import rrule, { type Options } from 'rrule';
import type { CheckedFields } from './checked-fields.js';
import { daysAfterEaster, easterSunday } from './time/easter.js';
import { commonDivisor, dayMs, dayOf, lastSecondMs, modulo, weekdayOf, yearOf } from './time/wall-time.js';

/** The wall times of a rule, in order. */
export interface WallTimes {
  /** The first one that is not before `wall`; infinity if there is none up to the end of the calendar. */
  firstFrom(wall: number): number;
  /** The `n`th one from the rule's start on, where that is faster than repeated `firstFrom`. */
  nth?(n: number): number;
}

/** The `n`th wall time from a start on, counted from 1; infinity if there are fewer. */
export function nthWallTime(times: WallTimes, startWall: number, n: number): number {
  if (times.nth !== undefined) return times.nth(n);
  let wall = times.firstFrom(startWall);
  for (let remaining = n - 1; remaining > 0 && wall <= lastSecondMs; remaining--)
    wall = times.firstFrom(wall + 1);
  return wall;
}

/** The units of rules by the calendar, in rrule's terms. */
const frequencies = {
  daily: rrule.RRule.DAILY,
  weekly: rrule.RRule.WEEKLY,
  monthly: rrule.RRule.MONTHLY,
  yearly: rrule.RRule.YEARLY,
} as const;
type CalendarUnit = keyof typeof frequencies;

/** The wall times of a rule by the calendar. */
export function wallTimesOf(fields: CheckedFields): WallTimes {
  const { everyUnit, cron, positions } = fields;
  if (cron !== null) return { firstFrom: (wall) => cron.firstFrom(wall) };
  if (everyUnit === 'easterly') return new EasterTimes(fields);
  if (everyUnit === 'monthly' || everyUnit === 'yearly') {
    if (positions.length > 0) return new PositionTimes(fields, everyUnit);
    return new PeriodTimes(fields, everyUnit);
  }
  if (everyUnit === 'daily' || everyUnit === 'weekly') return new PeriodTimes(fields, everyUnit);
  throw new TypeError(`expected a unit of the calendar, got: ${everyUnit}`);
}

/**
 * A rule by the day, week, month or year. rrule begins at the period in question, so that old rules are fast.
 */
class PeriodTimes implements WallTimes {
  readonly #fields: CheckedFields;
  readonly #unit: CalendarUnit;
  readonly #options: Partial<Options>;

  constructor(fields: CheckedFields, unit: CalendarUnit) {
    this.#fields = fields;
    this.#unit = unit;
    this.#options = {
      freq: frequencies[unit],
      interval: fields.every,
      wkst: rrule.RRule.MO,
      ...meantDays(fields, unit),
    };
  }

  firstFrom(wall: number): number {
    // rrule would search up to the year 9999.
    if (this.#unit === 'daily' && !meetsWeekdays(this.#fields)) return Number.POSITIVE_INFINITY;
    return this.#ruleAt(wall).after(new Date(wall), true)?.getTime() ?? Number.POSITIVE_INFINITY;
  }

  nth(n: number): number {
    if (this.firstFrom(this.#fields.startWall) === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    const walls: Date[] = [];
    this.#ruleAt(this.#fields.startWall).all((date) => {
      if (date.getTime() >= this.#fields.startWall) walls.push(date);
      return walls.length < n;
    });
    return walls[n - 1]?.getTime() ?? Number.POSITIVE_INFINITY;
  }

  /** The rule from the counted period of `wall` on, or from the one before it. */
  #ruleAt(wall: number): InstanceType<typeof rrule.RRule> {
    const { startWall, every } = this.#fields;
    const start = dayOf(startWall);
    const day = dayOf(wall);
    let first: number;
    if (this.#unit === 'daily') first = wholeSteps(start, day, every);
    else if (this.#unit === 'weekly') first = wholeSteps(start - weekdayOf(start), day, 7 * every);
    else first = firstDayOfMonth(wholeSteps(...monthsOf(this.#fields, this.#unit, day)));
    const dtstart = new Date(first * dayMs + modulo(startWall, dayMs));
    return new rrule.RRule({ ...this.#options, dtstart }, true);
  }
}

/**
 * A rule by positions among the weekdays of a month or year. rrule is not used: it takes the first day for a
 * missing position from the end, and would search for centuries.
 */
class PositionTimes implements WallTimes {
  readonly #fields: CheckedFields;
  readonly #unit: 'monthly' | 'yearly';
  /** The matching days by length and first weekday of a period, counted from 0. */
  readonly #days = new Map<number, readonly number[]>();
  #isNever = false;

  constructor(fields: CheckedFields, unit: 'monthly' | 'yearly') {
    this.#fields = fields;
    this.#unit = unit;
  }

  firstFrom(wall: number): number {
    const [first, to, step] = monthsOf(this.#fields, this.#unit, dayOf(wall));
    const timeOfDay = modulo(this.#fields.startWall, dayMs);
    // The calendar repeats after 4800 months.
    const periods = this.#isNever ? 0 : 4800 / commonDivisor(4800, step);
    for (let n = 0, month = wholeSteps(first, to, step); n <= periods; n++, month += step) {
      const firstDay = firstDayOfMonth(month);
      for (const day of this.#meantDays(month, firstDay)) {
        const found = (firstDay + day) * dayMs + timeOfDay;
        if (found >= wall) return found;
      }
    }
    this.#isNever = true;
    return Number.POSITIVE_INFINITY;
  }

  #meantDays(month: number, firstDay: number): readonly number[] {
    const length = firstDayOfMonth(month + (this.#unit === 'yearly' ? 12 : 1)) - firstDay;
    const key = length * 7 + weekdayOf(firstDay);
    const known = this.#days.get(key);
    if (known !== undefined || Number.isNaN(length)) return known ?? [];
    const { weekdays, positions } = this.#fields;
    const days = Array.from({ length }, (_, day) => day).filter((day) =>
      weekdays.includes(weekdayOf(firstDay + day)),
    );
    const meant = days.filter((_, i) => positions.includes(i + 1) || positions.includes(i - days.length));
    this.#days.set(key, meant);
    return meant;
  }
}

/** The month of a rule's first period, that of a day, and the months between periods; 0 is January 1970. */
function monthsOf(
  { startWall, every }: CheckedFields,
  unit: CalendarUnit,
  day: number,
): [first: number, to: number, step: number] {
  const start = monthOf(dayOf(startWall));
  if (unit === 'monthly') return [start, monthOf(day), every];
  return [start - modulo(start, 12), monthOf(day), 12 * every];
}

/** The last number not after `to` that is a multiple of `step` after `first`, or `first` itself. */
function wholeSteps(first: number, to: number, step: number): number {
  return first + Math.max(0, Math.floor((to - first) / step)) * step;
}

function monthOf(day: number): number {
  const date = new Date(day * dayMs);
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

function firstDayOfMonth(month: number): number {
  return Date.UTC(1970, month) / dayMs;
}

/** The matching days of a period, in rrule's terms. */
function meantDays({ weekdays, startWall }: CheckedFields, unit: CalendarUnit): Partial<Options> {
  const byweekday = weekdays.length === 0 ? null : [...weekdays];
  const start = new Date(startWall);
  switch (unit) {
    case 'daily':
      return { byweekday };
    case 'weekly':
      return { byweekday: byweekday ?? [weekdayOf(dayOf(startWall))] };
    case 'monthly':
    case 'yearly':
      if (byweekday !== null) return { byweekday };
      return { bymonthday: start.getUTCDate(), bymonth: unit === 'yearly' ? start.getUTCMonth() + 1 : null };
  }
}

/** Whether the interval of days ever falls on one of the weekdays. */
function meetsWeekdays({ weekdays, every, startWall }: CheckedFields): boolean {
  const first = weekdayOf(dayOf(startWall));
  const met = [0, 1, 2, 3, 4, 5, 6].map((n) => (first + n * (every % 7)) % 7);
  return weekdays.length === 0 || met.some((weekday) => weekdays.includes(weekday));
}

/** A rule by Easter: every so many years, at the distance of the start from Easter. */
class EasterTimes implements WallTimes {
  readonly #startWall: number;
  readonly #every: number;
  readonly #offset: number;

  constructor({ startWall, every }: CheckedFields) {
    this.#startWall = startWall;
    this.#every = every;
    this.#offset = daysAfterEaster(dayOf(startWall));
  }

  firstFrom(wall: number): number {
    // The year whose Easter would give this wall time; that Easter may have passed.
    const years = yearOf(dayOf(wall) - this.#offset) - yearOf(dayOf(this.#startWall));
    const n = Math.max(1, Math.ceil(years / this.#every) + 1);
    const found = this.nth(n);
    return found >= wall ? found : this.nth(n + 1);
  }

  nth(n: number): number {
    const year = yearOf(dayOf(this.#startWall)) + (n - 1) * this.#every;
    if (year > 9999) return Number.POSITIVE_INFINITY;
    return (easterSunday(year) + this.#offset) * dayMs + modulo(this.#startWall, dayMs);
  }
}
