// The days, weeks, months or years that a calendar rule counts, numbered from 0, the one that its start is in.

import type { CheckedFields } from './fields.js';
import { commonDivisor, dayMs, dayOf, weekdayOf } from './wall-time.js';

/** Units of which a rule goes by the calendar. */
export type CalendarUnit = 'daily' | 'weekly' | 'monthly' | 'yearly';

/** Counted periods. Days are numbered, 1 January 1970 being 0. */
export interface Periods {
  /** After so many periods the calendar looks the same again. */
  readonly cycle: number;
  /** The number of the first period that does not end before `day`; may be negative. */
  firstEndingFrom(day: number): number;
  /** The first day of a period. Not a number when that is beyond what dates can say. */
  firstDay(period: number): number;
  /** How many days a period has. */
  length(period: number): number;
}

/** The periods of a rule: every `every`th day, week from Monday, month or year from the one of its start. */
export function countedPeriods(unit: CalendarUnit, fields: CheckedFields): Periods {
  const start = dayOf(fields.startWall);
  switch (unit) {
    case 'daily':
      return periodsOfDays(start, 1, fields.every);
    case 'weekly':
      return periodsOfDays(start - weekdayOf(start), 7, fields.every);
    case 'monthly':
      return periodsOfMonths(monthOf(start), 1, fields.every);
    case 'yearly':
      return periodsOfMonths(Math.floor(monthOf(start) / 12) * 12, 12, fields.every);
  }
}

function periodsOfDays(origin: number, length: number, every: number): Periods {
  const step = length * every;
  return {
    cycle: 7 / commonDivisor(7, step),
    firstEndingFrom: (day) => Math.ceil((day - length + 1 - origin) / step),
    firstDay: (period) => origin + period * step,
    length: () => length,
  };
}

function periodsOfMonths(origin: number, months: number, every: number): Periods {
  const step = months * every;
  const firstDay = (period: number) => firstDayOfMonth(origin + period * step);
  return {
    // The calendar repeats after 400 years.
    cycle: 4800 / commonDivisor(4800, step),
    firstEndingFrom: (day) => Math.ceil((monthOf(day) - months + 1 - origin) / step),
    firstDay,
    length: (period) => firstDayOfMonth(origin + period * step + months) - firstDay(period),
  };
}

/** The month of a day's number, 0 being January 1970. */
export function monthOf(day: number): number {
  const date = new Date(day * dayMs);
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

/** The first day of a month, numbered as in {@link monthOf}. */
export function firstDayOfMonth(month: number): number {
  return Date.UTC(1970, month) / dayMs;
}

/** How many days a month has, numbered as in {@link monthOf}. */
export function daysInMonth(month: number): number {
  return firstDayOfMonth(month + 1) - firstDayOfMonth(month);
}
