// The messages of which recurrences are described. A translation is one object of this shape, in a file of its own.

import type { EveryUnit, MissingTime, RepeatedTime } from '../fields.js';

/** Units of which "every so many" makes sense. */
export type PeriodUnit = Exclude<EveryUnit, 'easterly' | 'cron'>;

/** Neighbouring numbers as `[first, last]`, single ones as `[n, n]`; undefined where all are meant. */
export type Ranges = ReadonlyArray<readonly [first: number, last: number]> | undefined;

/** The times of day of a cron expression that are not a few single ones. */
export interface ClockParts {
  readonly seconds: Ranges;
  readonly minutes: Ranges;
  readonly hours: Ranges;
  /** Where the minutes are each so many from 0 on, and the second is 0. */
  readonly everyMinutes: number | undefined;
}

/** What a description is put together of, each in words already; undefined where there is nothing to say. */
export interface DescriptionParts {
  readonly every?: string | undefined;
  readonly days?: string | undefined;
  readonly time?: string | undefined;
  readonly months?: string | undefined;
  readonly zone?: string | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  readonly times?: string | undefined;
  readonly missing?: string | undefined;
  readonly repeated?: string | undefined;
}

/** Days are counted in each month, in the year, or in one month of it, 1 to 12. */
export type Period = 'month' | 'year' | number;

/** A date as three numbers; months from 1 on. */
export interface PlainDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/**
 * A language. Weekdays are numbers from 0 for Monday to 6 for Sunday, months from 1 to 12, positions as in the fields
 * of a recurrence (-1 is the last), times of day texts such as `10:00`. Each message is a whole phrase, since
 * languages differ in more than words.
 */
export interface Language {
  /** `every 2 weeks` */
  every(unit: PeriodUnit, count: number): string;
  /** `on Monday and Friday` */
  onWeekdays(weekdays: readonly number[]): string;
  /** `only on Monday and Friday`: of those days and hours, these. */
  onlyOnWeekdays(weekdays: readonly number[]): string;
  /** `on every Monday and Friday` of a month or year. */
  onEveryWeekday(weekdays: readonly number[]): string;
  /** `on the 1st and 15th`, `on the last day`, `on the 100th day of the year`, `on the last day of February` */
  onDays(positions: readonly number[], period: Period): string;
  /** `on the first and last Friday`, `on the last Sunday of March` */
  onPositions(positions: readonly number[], weekdays: readonly number[], period: Period): string;
  /** `on 24 December` */
  onDate(day: number, month: number): string;
  /** `2 days before Easter`, for -2. */
  fromEaster(days: number): string;
  /** `at 10:00`, `at 4:00 and 16:00` */
  at(times: readonly string[]): string;
  /** `at minutes 5 and 35 of hours 8 to 17` */
  atClock(clock: ClockParts): string;
  /** Any of several phrases for days. */
  anyOf(phrases: readonly string[]): string;
  /** Days that two phrases have in common. */
  bothOf(days: string, weekdays: string): string;
  /** `in January and July` */
  inMonths(months: readonly number[]): string;
  /** `in Europe/Tallinn` */
  inZone(name: string): string;
  /** `from 3 January 2024`, perhaps with the time of day. */
  from(date: PlainDate, time: string | undefined): string;
  /** `until 3 January 2024`, perhaps with the time of day. */
  until(date: PlainDate, time: string | undefined): string;
  /** `10 times in all` */
  times(count: number): string;
  missing(choice: MissingTime): string;
  repeated(choice: RepeatedTime): string;
  /** `after rule report`: whenever a run of that one is done, and at no other time. */
  afterRule(rule: string): string;
  /** Puts the parts in order. */
  compose(parts: DescriptionParts): string;
}
