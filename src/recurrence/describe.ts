// Recurrences in words.

import { type Choice, ChoiceList } from '../choices.js';
import type { CronExpression, CronWeekday } from './cron-expression.js';
import { daysAfterEaster } from './easter-times.js';
import { type CheckedFields, checkFields, type RecurrenceFields } from './fields.js';
import { english } from './languages/english.js';
import { german } from './languages/german.js';
import type { DescriptionParts, Language, Period, PlainDate, Ranges } from './languages/language.js';
import { dayOf, formatWallTime, weekdayOf } from './wall-time.js';

/** A language that recurrences are described in. */
export type LanguageCode = 'en' | 'de';

/** The languages that recurrences are described in. */
export const Languages: ChoiceList<Choice & { readonly value: LanguageCode; readonly language: Language }> =
  new ChoiceList([
    { value: 'en', name: 'english', text: 'English', language: english },
    { value: 'de', name: 'german', text: 'Deutsch', language: german },
  ]);

export interface DescribeOptions {
  /** Without the zone and the start. Default false. */
  readonly brief?: boolean;
}

/**
 * A recurrence in words. The English ones are understood by `parseWhen`, but for those of cron expressions.
 *
 * @example
 * describe(Recurrence.from({ everyUnit: 'weekly', every: 2, weekdays: ['monday', 'friday'], start: '2024-01-03T10:00:00' }));
 * // every 2 weeks on Monday and Friday at 10:00 in UTC from 3 January 2024
 */
export function describe(
  { fields }: { readonly fields: RecurrenceFields },
  language: LanguageCode = 'en',
  { brief = false }: DescribeOptions = {},
): string {
  const checked = checkFields(fields);
  const words = Languages.get(language)?.language ?? english;
  const main = checked.cron === null ? ruleParts(checked, words) : cronParts(checked.cron, words);
  return words.compose({
    ...main,
    ...(brief ? {} : { zone: words.inZone(checked.timezone), from: startOf(checked, words) }),
    ...endParts(checked, words),
    ...choiceParts(checked, words),
  });
}

/**
 * When a rule is due that runs after another one, in words: `after rule asks`.
 *
 * @param rule the other one's name or number
 */
export function afterRule(rule: string, language: LanguageCode = 'en'): string {
  return (Languages.get(language)?.language ?? english).afterRule(rule);
}

function ruleParts(
  checked: Exclude<CheckedFields, { everyUnit: 'cron' }>,
  words: Language,
): DescriptionParts {
  const { everyUnit, every, positions, startWall } = checked;
  const time = words.at([timeOf(startWall)]);
  switch (everyUnit) {
    case 'secondly':
    case 'minutely':
    case 'hourly':
      return { every: words.every(everyUnit, every), days: onlyOn(checked, words) };
    case 'easterly':
      return {
        every: words.every('yearly', every),
        days: words.fromEaster(daysAfterEaster(dayOf(startWall))),
        time,
      };
    case 'monthly':
      if (every % 12 === 0 && positions.length > 0) {
        const days = positioned(checked, words, dateOf(startWall).month);
        return { every: words.every('yearly', every / 12), days, time };
      }
      return { every: words.every(everyUnit, every), days: daysOfPeriod(checked, words), time };
    default:
      return { every: words.every(everyUnit, every), days: daysOfPeriod(checked, words), time };
  }
}

function onlyOn({ weekdays }: CheckedFields, words: Language): string | undefined {
  return weekdays.length === 0 ? undefined : words.onlyOnWeekdays(weekdays);
}

function daysOfPeriod(checked: CheckedFields, words: Language): string | undefined {
  const { everyUnit, weekdays, positions, startWall } = checked;
  const { month, day } = dateOf(startWall);
  if (everyUnit === 'daily') return onlyOn(checked, words);
  if (everyUnit === 'weekly')
    return words.onWeekdays(weekdays.length > 0 ? weekdays : [weekdayOf(dayOf(startWall))]);
  if (weekdays.length === 0)
    return everyUnit === 'monthly' ? words.onDays([day], 'month') : words.onDate(day, month);
  if (positions.length === 0) return words.onEveryWeekday(weekdays);
  return positioned(checked, words, everyUnit === 'monthly' ? 'month' : 'year');
}

function positioned({ weekdays, positions }: CheckedFields, words: Language, period: Period): string {
  return weekdays.length === 7
    ? words.onDays(positions, period)
    : words.onPositions(positions, weekdays, period);
}

/** Rules of elapsed time are anchored at a time, the others have it as theirs. */
function startOf({ everyUnit, startWall }: CheckedFields, words: Language): string {
  const isElapsed = everyUnit === 'secondly' || everyUnit === 'minutely' || everyUnit === 'hourly';
  return words.from(dateOf(startWall), isElapsed || everyUnit === 'cron' ? timeOf(startWall) : undefined);
}

function endParts({ untilWall, count }: CheckedFields, words: Language): DescriptionParts {
  const isDay = Number.isFinite(untilWall) && formatWallTime(untilWall).endsWith('T23:59:59');
  return {
    until: Number.isFinite(untilWall)
      ? words.until(dateOf(untilWall), isDay ? undefined : timeOf(untilWall))
      : undefined,
    times: count === null ? undefined : words.times(count),
  };
}

/** The choices at clock changes, where they are not the usual ones. */
function choiceParts({ cron, missingTime, repeatedTime }: CheckedFields, words: Language): DescriptionParts {
  const isInterval = cron?.isInterval ?? false;
  return {
    missing: missingTime === (isInterval ? 'skipped' : 'shifted') ? undefined : words.missing(missingTime),
    repeated: repeatedTime === (isInterval ? 'both' : 'first') ? undefined : words.repeated(repeatedTime),
  };
}

/** With more times of day than these, their parts are told. */
const mostTimes = 4;

function cronParts(cron: CronExpression, words: Language): DescriptionParts {
  const times = cron.hours.flatMap((hour) =>
    cron.minutes.flatMap((minute) => cron.seconds.map((second) => (hour * 60 + minute) * 60 + second)),
  );
  const isFew = times.length <= mostTimes;
  const days = cronDays(cron, words);
  return {
    every: days === undefined && isFew ? words.every('daily', 1) : undefined,
    days,
    time: isFew ? words.at(times.map((time) => timeOf(time * 1000))) : words.atClock(clockParts(cron)),
    months: cron.months.length === 12 ? undefined : words.inMonths(cron.months),
  };
}

function clockParts({ seconds, minutes, hours }: CronExpression): Parameters<Language['atClock']>[0] {
  const [, step = 0] = minutes;
  const isStepped =
    step > 1 && minutes.length === 60 / step && minutes.every((minute, i) => minute === i * step);
  return {
    seconds: rangesOf(seconds, 60),
    minutes: rangesOf(minutes, 60),
    hours: rangesOf(hours, 24),
    everyMinutes: isStepped && seconds.join() === '0' ? step : undefined,
  };
}

function cronDays(cron: CronExpression, words: Language): string | undefined {
  const isAnyDay = cron.days.length === 31;
  const isAnyWeekday = cron.weekdays.length === 7 && cron.weekdays.every(({ position }) => position === null);
  // From the end, cron counts from 0.
  const fromStart = cron.days.filter((day) => day > 0);
  const fromEnd = cron.days.filter((day) => day <= 0).map((day) => day - 1);
  const positions = [...fromStart, ...fromEnd];
  const days = isAnyDay ? undefined : words.onDays(positions, 'month');
  const weekdays = isAnyWeekday ? undefined : words.anyOf(cronWeekdays(cron.weekdays, words));
  if (days === undefined || weekdays === undefined)
    return cron.eitherDay && (isAnyDay || isAnyWeekday) ? undefined : (days ?? weekdays);
  return cron.eitherDay ? words.anyOf([days, weekdays]) : words.bothOf(days, weekdays);
}

function cronWeekdays(weekdays: readonly CronWeekday[], words: Language): string[] {
  const each = weekdays.filter(({ position }) => position === null).map(({ weekday }) => weekday);
  const some = weekdays.flatMap(({ weekday, position }) =>
    position === null ? [] : [words.onPositions([position], [weekday], 'month')],
  );
  return each.length === 0 ? some : [words.onWeekdays(each.sort((a, b) => a - b)), ...some];
}

/** Neighbours put together; undefined when all of `size` numbers are there. */
function rangesOf(numbers: readonly number[], size: number): Ranges {
  if (numbers.length === size) return undefined;
  const ranges: Array<[number, number]> = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}

function dateOf(wall: number): PlainDate {
  const date = new Date(wall);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/** `10:00`, or `10:00:07` where there are seconds. */
function timeOf(wall: number): string {
  return formatWallTime(wall).slice('yyyy-mm-ddT'.length).replace(/:00$/, '');
}
