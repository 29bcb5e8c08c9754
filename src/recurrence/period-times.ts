// Rules by the day, week, month and year, worked out on the calendar.

import type { CheckedFields } from './fields.js';
import { type CalendarUnit, countedPeriods, type Periods } from './periods.js';
import { dayMs, dayOf, lastSecondMs, modulo, weekdayOf } from './wall-time.js';
import type { WallTimes } from './wall-times.js';

/**
 * The wall times of a rule by the day, week, month or year.
 *
 * Every question is answered from the period that it is about: which days of a period are meant depends on its length
 * and first weekday alone. So neither the age of the rule nor the distance to its next occurrence costs time.
 */
export class PeriodTimes implements WallTimes {
  readonly #fields: CheckedFields;
  readonly #periods: Periods;
  readonly #timeOfDay: number;
  /** The meant days by length and first weekday, counted from the period's first, 0. */
  readonly #days = new Map<number, readonly number[]>();
  readonly #unit: CalendarUnit;
  /** Whether a whole cycle of the calendar was searched in vain. */
  #isNever = false;

  constructor(fields: CheckedFields, unit: CalendarUnit) {
    this.#fields = fields;
    this.#unit = unit;
    this.#periods = countedPeriods(unit, fields);
    this.#timeOfDay = modulo(fields.startWall, dayMs);
  }

  firstFrom(from: number): number {
    let period = this.#periodFrom(Math.max(0, this.#periods.firstEndingFrom(dayOf(from))));
    // At most one period more: the last day of the first one may come before `from`.
    for (; period !== undefined; period = this.#periodFrom(period + 1)) {
      for (const day of this.#daysOf(period)) {
        const wall = this.#wallOf(period, day);
        if (wall >= from) return wall;
      }
    }
    return Number.POSITIVE_INFINITY;
  }

  nth(n: number): number {
    const isBeforeStart = (day: number) => this.#wallOf(0, day) < this.#fields.startWall;
    let left = n + this.#daysOf(0).filter(isBeforeStart).length;
    const total = left;
    for (let period = 0; this.#isOnCalendar(period); period++) {
      const days = this.#daysOf(period);
      const day = days[left - 1];
      if (day !== undefined) return this.#wallOf(period, day);
      left -= days.length;
      if (period === this.#periods.cycle - 1) {
        const perCycle = total - left;
        if (perCycle === 0) break;
        const cycles = Math.floor((left - 1) / perCycle);
        left -= cycles * perCycle;
        period += cycles * this.#periods.cycle;
      }
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The first period from `first` on that has an occurrence. If a whole cycle has none, no other will. */
  #periodFrom(first: number): number | undefined {
    if (this.#isNever) return undefined;
    for (let period = first; period < first + this.#periods.cycle; period++) {
      if (!this.#isOnCalendar(period)) return undefined;
      if (this.#daysOf(period).length > 0) return period;
    }
    this.#isNever = true;
    return undefined;
  }

  #isOnCalendar(period: number): boolean {
    return this.#periods.firstDay(period) * dayMs <= lastSecondMs;
  }

  #wallOf(period: number, day: number): number {
    return (this.#periods.firstDay(period) + day) * dayMs + this.#timeOfDay;
  }

  /** The meant days of a period, those before the start too. */
  #daysOf(period: number): readonly number[] {
    const length = this.#periods.length(period);
    const firstWeekday = weekdayOf(this.#periods.firstDay(period));
    const key = length * 7 + firstWeekday;
    const known = this.#days.get(key);
    const days = known ?? this.#meantDays(length, firstWeekday);
    if (known === undefined) this.#days.set(key, days);
    return days;
  }

  #meantDays(length: number, firstWeekday: number): number[] {
    const { weekdays, positions } = this.#fields;
    if (weekdays.length === 0) return [this.#dayOfStart(length)].filter((day) => day < length);
    const days = Array.from({ length }, (_, day) => day).filter((day) =>
      weekdays.includes((firstWeekday + day) % 7),
    );
    if (positions.length === 0) return days;
    return days.filter((_, i) => positions.includes(i + 1) || positions.includes(i - days.length));
  }

  /** The day of a period of `length` days that is like the start's in its own; `length` or more if it has none. */
  #dayOfStart(length: number): number {
    const start = new Date(this.#fields.startWall);
    switch (this.#unit) {
      case 'daily':
        return 0;
      case 'weekly':
        return weekdayOf(dayOf(this.#fields.startWall));
      case 'monthly':
        return start.getUTCDate() - 1;
      case 'yearly':
        return dayOfYear(start.getUTCMonth(), start.getUTCDate(), length) ?? length;
    }
  }
}

/** The day of a year of `length` days, 1 January being 0; undefined for 29 February where there is none. */
function dayOfYear(month: number, date: number, length: number): number | undefined {
  const year = length === 366 ? 2024 : 2023;
  const day = new Date(Date.UTC(year, month, date));
  return day.getUTCMonth() === month ? (day.getTime() - Date.UTC(year, 0, 1)) / dayMs : undefined;
}
