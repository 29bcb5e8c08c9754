// Describes recurrences in English. notations/words.ts parses the result, except for cron expressions.

import { DateTime } from 'luxon';
import { checkFields, defaultChoices } from '../check-fields.js';
import type { CheckedFields } from '../checked-fields.js';
import { isElapsed } from '../elapsed.js';
import type { MissingTime, RecurrenceFields } from '../fields.js';
import { daysAfterEaster } from '../time/easter.js';
import { dayMs, dayOf, formatWallTime, modulo, weekdayOf } from '../time/wall-time.js';
import { type CronExpression, numbersOf } from './cron.js';

export interface DescribeOptions {
  /** Omits the zone and the start. Default false. */
  readonly brief?: boolean;
}

const units = {
  secondly: 'second',
  minutely: 'minute',
  hourly: 'hour',
  daily: 'day',
  weekly: 'week',
  monthly: 'month',
  yearly: 'year',
} as const;
const ordinals = ['first', 'second', 'third', 'fourth', 'fifth'];
const missing: Readonly<Record<MissingTime, string>> = {
  shifted: 'shifted',
  skipped: 'skipped',
  'at-jump': 'at the jump',
};

/** Days count in each month, in the year, or in one month of it, 1 to 12. */
type Period = 'month' | 'year' | number;

/**
 * Describes a recurrence in words. `parseWhen` understands them, except for those of cron expressions.
 *
 * @example
 * const start = '2024-01-03T10:00:00';
 * describe(Recurrence.from({ everyUnit: 'weekly', every: 2, weekdays: ['monday', 'friday'], start }));
 * // every 2 weeks on Monday and Friday at 10:00 in UTC from 3 January 2024
 */
export function describe(
  { fields }: { readonly fields: RecurrenceFields },
  { brief = false }: DescribeOptions = {},
): string {
  const checked = checkFields(fields);
  const { timezone, startWall, untilWall, everyUnit } = checked;
  const main = checked.cron === null ? ruleText(checked) : cronText(checked.cron);
  const isMoment = isElapsed(everyUnit) || everyUnit === 'cron';
  const where = brief ? [] : [`in ${timezone}`, `from ${momentText(startWall, isMoment)}`];
  const isWholeDay = modulo(untilWall, dayMs) === dayMs - 1000;
  const until = Number.isFinite(untilWall) ? [`until ${momentText(untilWall, !isWholeDay)}`] : [];
  return [[main, ...where, ...until].join(' '), ...choices(checked)].join(', ');
}

/**
 * Describes a rule that runs after another one: `after rule asks`.
 *
 * @param rule the other one's name or number
 */
export function afterRule(rule: string): string {
  return `after rule ${rule}`;
}

/** The count, and the choices at clock changes that are not the defaults. */
function choices({ count, cron, missingTime, repeatedTime }: CheckedFields): string[] {
  const usual = defaultChoices(cron);
  const times = count === 1 ? 'once in all' : `${count} times in all`;
  const repeated = repeatedTime === 'both' ? 'both times' : `the ${repeatedTime} time`;
  return [
    ...(count === null ? [] : [times]),
    ...(missingTime === usual.missingTime ? [] : [`missing times ${missing[missingTime]}`]),
    ...(repeatedTime === usual.repeatedTime ? [] : [`repeated times ${repeated}`]),
  ];
}

function ruleText(checked: Exclude<CheckedFields, { everyUnit: 'cron' }>): string {
  const { everyUnit, every, weekdays, positions, startWall } = checked;
  const at = ` at ${timeOf(startWall)}`;
  if (isElapsed(everyUnit)) return everyText(everyUnit, every) + onlyOn(weekdays);
  if (everyUnit === 'easterly')
    return `${everyText('yearly', every)} ${easterText(daysAfterEaster(dayOf(startWall)))}${at}`;
  if (everyUnit === 'daily') return everyText(everyUnit, every) + onlyOn(weekdays) + at;
  const isOfMonth = everyUnit === 'monthly' && every % 12 === 0 && positions.length > 0;
  if (!isOfMonth) return `${everyText(everyUnit, every)} ${daysText(checked)}${at}`;
  const month = new Date(startWall).getUTCMonth() + 1;
  return `${everyText('yearly', every / 12)} ${onPositions(positions, weekdays, month)}${at}`;
}

function everyText(unit: keyof typeof units, count: number): string {
  return count === 1 ? `every ${units[unit]}` : `every ${count} ${units[unit]}s`;
}

function onlyOn(weekdays: readonly number[]): string {
  return weekdays.length === 0 ? '' : ` only ${onWeekdays(weekdays)}`;
}

function daysText({ everyUnit, weekdays, positions, startWall }: CheckedFields): string {
  if (everyUnit === 'weekly')
    return onWeekdays(weekdays.length > 0 ? weekdays : [weekdayOf(dayOf(startWall))]);
  if (positions.length > 0)
    return onPositions(positions, weekdays, everyUnit === 'monthly' ? 'month' : 'year');
  if (weekdays.length > 0) return `on every ${and(weekdays.map(weekdayName))}`;
  return everyUnit === 'monthly'
    ? onDays([new Date(startWall).getUTCDate()], 'month')
    : `on ${dateText(startWall, 'd MMMM')}`;
}

function onWeekdays(weekdays: readonly number[]): string {
  return isWorkdays(weekdays) ? 'on weekdays' : `on ${and(weekdays.map(weekdayName))}`;
}

function onPositions(positions: readonly number[], weekdays: readonly number[], period: Period): string {
  if (weekdays.length === 7) return onDays(positions, period);
  const which = `on the ${and(positions.map(ordinal))}`;
  if (weekdays.length === 1) return `${which} ${and(weekdays.map(weekdayName))}${ofPeriod(period)}`;
  if (isWorkdays(weekdays)) return `${which} weekday${ofPeriod(period)}`;
  return `${which} day that is a ${listed(weekdays.map(weekdayName), ' or ')}${ofPeriod(period)}`;
}

/** `on the 1st and 15th`, `on the last day`, `on the 100th day of the year` */
function onDays(positions: readonly number[], period: Period): string {
  const isPlain = period !== 'year' && positions.every((position) => position > 0);
  const numbers = and(positions.map((position) => (position > 0 ? numbered(position) : ordinal(position))));
  return `on the ${numbers}${isPlain ? '' : ' day'}${ofPeriod(period)}`;
}

function ofPeriod(period: Period): string {
  if (period === 'month') return '';
  return period === 'year' ? ' of the year' : ` of ${monthName(period)}`;
}

function easterText(days: number): string {
  if (days === 0) return 'on Easter Sunday';
  const count = Math.abs(days) === 1 ? '1 day' : `${Math.abs(days)} days`;
  return days < 0 ? `${count} before Easter` : `${count} after Easter`;
}

/** Longer lists of times are described by their parts. */
const maxTimes = 4;

function cronText(cron: CronExpression): string {
  const { seconds, minutes, hours, months } = numbersOf(cron);
  const times = hours.flatMap((hour) =>
    minutes.flatMap((minute) => seconds.map((second) => (hour * 60 + minute) * 60 + second)),
  );
  const isFew = times.length <= maxTimes;
  const days = cronDays(cron) ?? (isFew ? 'every day' : undefined);
  const at = isFew
    ? `at ${and(times.map((time) => timeOf(time * 1000)))}`
    : clockText(seconds, minutes, hours);
  const inMonths = months.length === 12 ? undefined : `in ${and(months.map(monthName))}`;
  return [days, at, inMonths].filter((part) => part !== undefined).join(' ');
}

function clockText(seconds: readonly number[], minutes: readonly number[], hours: readonly number[]): string {
  const [, step = 0] = minutes;
  const isStepped =
    step > 1 && minutes.length === 60 / step && minutes.every((minute, i) => minute === i * step);
  const isWholeMinute = seconds.join() === '0';
  const [everyHour, everyMinute] = [hours.length === 24, minutes.length === 60];
  const ofHours = everyHour ? 'every hour' : numbersText('hour', hours);
  if (isStepped && isWholeMinute)
    return everyHour ? `every ${step} minutes` : `every ${step} minutes of ${ofHours}`;
  const minuteOfHours = everyHour ? 'every minute' : `every minute of ${ofHours}`;
  const ofMinutes = everyMinute ? minuteOfHours : `${numbersText('minute', minutes)} of ${ofHours}`;
  if (isWholeMinute) return everyMinute ? minuteOfHours : `at ${ofMinutes}`;
  if (seconds.length < 60) return `at ${numbersText('second', seconds)} of ${ofMinutes}`;
  return everyMinute && everyHour ? 'every second' : `every second of ${ofMinutes}`;
}

function cronDays(cron: CronExpression): string | undefined {
  const { days, weekdays } = numbersOf(cron);
  const byDay = days.length === 31 ? undefined : onDays(days, 'month');
  const isAnyWeekday = weekdays.every(({ positions }) => positions === null) && weekdays.length === 7;
  const byWeekday = isAnyWeekday ? undefined : listed(weekdayTexts(weekdays), ' or ');
  if (byDay === undefined || byWeekday === undefined)
    return cron.eitherDay ? undefined : (byDay ?? byWeekday);
  return cron.eitherDay ? `${byDay} or ${byWeekday}` : `${byDay}, but only ${byWeekday}`;
}

/** Combines weekdays of every week; lists those of some weeks of the month one by one. */
function weekdayTexts(weekdays: ReturnType<typeof numbersOf>['weekdays']): string[] {
  const each = weekdays.filter(({ positions }) => positions === null).map(({ weekday }) => weekday);
  const some = weekdays.flatMap(({ weekday, positions }) =>
    positions === null ? [] : [onPositions(positions, [weekday], 'month')],
  );
  return each.length === 0 ? some : [onWeekdays(each), ...some];
}

/** `minute 5`, `hours 8 to 17` */
function numbersText(noun: string, numbers: readonly number[]): string {
  const ranges: Array<[number, number]> = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  const texts = ranges.map(([first, last]) => (first === last ? String(first) : `${first} to ${last}`));
  return numbers.length === 1 ? `${noun} ${and(texts)}` : `${noun}s ${and(texts)}`;
}

function ordinal(position: number): string {
  const fromEnd = -position;
  if (position > 0) return ordinals[position - 1] ?? numbered(position);
  return fromEnd === 1 ? 'last' : `${ordinals[fromEnd - 1] ?? numbered(fromEnd)} to last`;
}

/** `1st`, `2nd`, `11th` */
function numbered(number: number): string {
  const isTeen = number % 100 >= 11 && number % 100 <= 13;
  const ending = isTeen ? undefined : ['th', 'st', 'nd', 'rd'][number % 10];
  return `${number}${ending ?? 'th'}`;
}

function isWorkdays(weekdays: readonly number[]): boolean {
  return weekdays.join() === '0,1,2,3,4';
}

function weekdayName(weekday: number): string {
  // 1 January 2024 was a Monday.
  return dateText(Date.UTC(2024, 0, 1 + weekday), 'EEEE');
}

function monthName(month: number): string {
  return dateText(Date.UTC(2024, month - 1, 1), 'MMMM');
}

function momentText(wall: number, withTime: boolean): string {
  return `${dateText(wall, 'd MMMM yyyy')}${withTime ? ` ${timeOf(wall)}` : ''}`;
}

function dateText(wall: number, format: string): string {
  return DateTime.fromMillis(wall, { zone: 'utc', locale: 'en' }).toFormat(format);
}

/** `10:00`, or `10:00:07` with seconds. */
function timeOf(wall: number): string {
  return formatWallTime(wall).slice('yyyy-mm-ddT'.length).replace(/:00$/, '');
}

function and(items: readonly string[]): string {
  return listed(items, ' and ');
}

/** `a, b and c` */
function listed(items: readonly string[], lastSeparator: string): string {
  const [last = ''] = items.slice(-1);
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')}${lastSeparator}${last}`;
}
