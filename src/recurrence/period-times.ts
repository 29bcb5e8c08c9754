// Rules by the day, week, month and year, worked out on the calendar.

import { createRequire } from 'node:module';
import type { Options } from 'rrule';
import type { CheckedFields } from './fields.js';
import { type CalendarUnit, countedPeriods, type Periods } from './periods.js';
import { dayMs, dayOf, lastSecondMs, modulo, weekdayOf } from './wall-time.js';
import type { WallTimes } from './wall-times.js';

const require = createRequire(import.meta.url);

/** Loaded when first needed, as it takes 5 to 20 ms. Its ES module exports no names in Node, hence `require`. */
function rrule(): typeof import('rrule') {
  return require('rrule') as typeof import('rrule');
}

/**
 * The wall times of a rule by the day, week, month or year.
 *
 * Every question is answered from the period that it is about: `rrule` expands single periods, and which periods
 * have occurrences, and how many, is arithmetic. So neither the age of the rule nor the distance to its next
 * occurrence costs time; rrule itself would step from its start, and to the year 9999 for a rule that never fires.
 */
export class PeriodTimes implements WallTimes {
  readonly #fields: CheckedFields;
  readonly #periods: Periods;
  readonly #timeOfDay: number;
  readonly #sizes = new Map<number, number>();
  readonly #unit: CalendarUnit;
  /** Whether a whole cycle of the calendar was searched in vain. */
  #isNever = false;
  /** The period that was expanded last: a rule is mostly asked about the same one again. */
  #expanded: { readonly period: number; readonly walls: readonly number[] } | undefined;

  constructor(fields: CheckedFields, unit: CalendarUnit) {
    this.#fields = fields;
    this.#unit = unit;
    this.#periods = countedPeriods(unit, fields);
    this.#timeOfDay = modulo(fields.startWall, dayMs);
  }

  firstFrom(from: number): number {
    let period = this.#periodFrom(Math.max(0, this.#periods.firstEndingFrom(dayOf(from))));
    // At most one period more: its last occurrence may be earlier than `from`.
    for (; period !== undefined; period = this.#periodFrom(period + 1)) {
      const found = this.#expand(period).find((candidate) => candidate >= from);
      if (found !== undefined) return found;
    }
    return Number.POSITIVE_INFINITY;
  }

  nth(n: number): number {
    let left = n + this.#expand(0).filter((wall) => wall < this.#fields.startWall).length;
    const total = left;
    for (let period = 0; this.#isOnCalendar(period); period++) {
      const size = this.#sizeOf(period);
      if (left <= size) return this.#expand(period)[left - 1] ?? Number.POSITIVE_INFINITY;
      left -= size;
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
      if (this.#sizeOf(period) > 0) return period;
    }
    this.#isNever = true;
    return undefined;
  }

  #isOnCalendar(period: number): boolean {
    return this.#periods.firstDay(period) * dayMs <= lastSecondMs;
  }

  /** How many occurrences a whole period has. It depends on the period's length and first weekday alone. */
  #sizeOf(period: number): number {
    const length = this.#periods.length(period);
    const firstWeekday = weekdayOf(this.#periods.firstDay(period));
    const key = length * 7 + firstWeekday;
    const known = this.#sizes.get(key);
    const size = known ?? this.#countIn(length, firstWeekday);
    if (known === undefined) this.#sizes.set(key, size);
    return size;
  }

  #countIn(length: number, firstWeekday: number): number {
    const { weekdays, positions } = this.#fields;
    if (weekdays.length === 0) return this.#hasStartDay(length) ? 1 : 0;
    const days = countWeekdays(weekdays, length, firstWeekday);
    return positions.length === 0 ? days : existingPositions(positions, days).length;
  }

  /** Whether a period of `length` days has the day of the month, or of the year, that the rule starts on. */
  #hasStartDay(length: number): boolean {
    const start = new Date(this.#fields.startWall);
    if (this.#unit === 'monthly') return start.getUTCDate() <= length;
    const isLeapDay = start.getUTCMonth() === 1 && start.getUTCDate() === 29;
    return this.#unit !== 'yearly' || !isLeapDay || length === 366;
  }

  /** All wall times of one period, those before the start too. */
  #expand(period: number): readonly number[] {
    if (this.#expanded?.period !== period) this.#expanded = { period, walls: this.#wallsOf(period) };
    return this.#expanded.walls;
  }

  #wallsOf(period: number): number[] {
    if (this.#sizeOf(period) === 0) return [];
    const { weekdays, positions } = this.#fields;
    const firstDay = this.#periods.firstDay(period);
    if (this.#unit === 'daily') return [firstDay * dayMs + this.#timeOfDay];
    const length = this.#periods.length(period);
    const days = countWeekdays(weekdays, length, weekdayOf(firstDay));
    const bysetpos = positions.length === 0 ? null : existingPositions(positions, days);
    const { RRule } = rrule();
    const rule = new RRule({
      ...rruleOptions(this.#fields, this.#unit),
      bysetpos,
      dtstart: new Date(firstDay * dayMs + this.#timeOfDay),
      until: new Date((firstDay + length - 1) * dayMs + this.#timeOfDay),
    });
    return rule.all().map(Number);
  }
}

/** What to tell rrule about a rule, but for the period. It counts weekdays from Monday, 0, as we do. */
function rruleOptions(fields: CheckedFields, unit: CalendarUnit): Partial<Options> {
  const { RRule } = rrule();
  const freq = {
    daily: RRule.DAILY,
    weekly: RRule.WEEKLY,
    monthly: RRule.MONTHLY,
    yearly: RRule.YEARLY,
  }[unit];
  if (fields.weekdays.length > 0) return { freq, byweekday: [...fields.weekdays] };
  const start = new Date(fields.startWall);
  switch (unit) {
    case 'daily':
      return { freq };
    case 'weekly':
      return { freq, byweekday: [weekdayOf(dayOf(fields.startWall))] };
    case 'monthly':
      return { freq, bymonthday: [start.getUTCDate()] };
    case 'yearly':
      return { freq, bymonth: [start.getUTCMonth() + 1], bymonthday: [start.getUTCDate()] };
  }
}

/** How many of `length` days, the first of which is a `firstWeekday`, are on one of the weekdays. */
function countWeekdays(weekdays: readonly number[], length: number, firstWeekday: number): number {
  const days = Array.from({ length }, (_, i) => (firstWeekday + i) % 7);
  return days.filter((weekday) => weekdays.includes(weekday)).length;
}

/**
 * The positions that a list of `days` days has, each once, counted from its front. rrule would take -5 of four
 * days for the first.
 */
function existingPositions(positions: readonly number[], days: number): number[] {
  const fromFront = positions.map((position) => (position > 0 ? position : days + position + 1));
  return [...new Set(fromFront)].filter((position) => position >= 1 && position <= days);
}
