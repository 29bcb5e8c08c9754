// English. What notations/words.ts reads is what is written here, and more.

import type { MissingTime, RepeatedTime } from '../fields.js';
import type { ClockParts, Language, Period, PlainDate, Ranges } from './language.js';
import { isWorkdays, listed, rangeTexts } from './lists.js';

const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
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
  shifted: 'missing times shifted',
  skipped: 'missing times skipped',
  'at-jump': 'missing times at the jump',
};
const repeated: Readonly<Record<RepeatedTime, string>> = {
  first: 'repeated times the first time',
  second: 'repeated times the second time',
  both: 'repeated times both times',
};

export const english: Language = {
  every: (unit, count) => (count === 1 ? `every ${units[unit]}` : `every ${count} ${units[unit]}s`),
  onWeekdays: (days) => `on ${weekdayList(days)}`,
  onlyOnWeekdays: (days) => `only on ${weekdayList(days)}`,
  onEveryWeekday: (days) => `on every ${and(days.map(weekdayName))}`,
  onDays: (positions, period) => {
    const isPlain = period !== 'year' && positions.every((position) => position > 0);
    const numbers = and(positions.map((position) => (position > 0 ? numbered(position) : ordinal(position))));
    return isPlain ? `on the ${numbers}${ofPeriod(period)}` : `on the ${numbers} day${ofPeriod(period)}`;
  },
  onPositions: (positions, days, period) => {
    const which = and(positions.map(ordinal));
    if (days.length === 1) return `on the ${which} ${and(days.map(weekdayName))}${ofPeriod(period)}`;
    if (isWorkdays(days)) return `on the ${which} weekday${ofPeriod(period)}`;
    return `on the ${which} day that is a ${listed(days.map(weekdayName), ' or ')}${ofPeriod(period)}`;
  },
  onDate: (day, month) => `on ${day} ${monthName(month)}`,
  fromEaster: (days) => {
    if (days === 0) return 'on Easter Sunday';
    const count = Math.abs(days) === 1 ? '1 day' : `${Math.abs(days)} days`;
    return days < 0 ? `${count} before Easter` : `${count} after Easter`;
  },
  at: (times) => `at ${and(times)}`,
  atClock,
  anyOf: (phrases) => listed(phrases, ' or '),
  bothOf: (days, onWeekdays) => `${days}, but only ${onWeekdays}`,
  inMonths: (numbers) => `in ${and(numbers.map(monthName))}`,
  inZone: (name) => `in ${name}`,
  from: (date, time) => `from ${moment(date, time)}`,
  until: (date, time) => `until ${moment(date, time)}`,
  times: (count) => (count === 1 ? 'once in all' : `${count} times in all`),
  missing: (choice) => missing[choice],
  repeated: (choice) => repeated[choice],
  afterRule: (rule) => `after rule ${rule}`,
  compose: ({ every, days, time, months, zone, from, until, times, missing, repeated }) => {
    const main = [every, days, time, months, zone, from, until]
      .filter((part) => part !== undefined)
      .join(' ');
    return [main, times, missing, repeated].filter((part) => part !== undefined).join(', ');
  },
};

function atClock({ seconds, minutes, hours, everyMinutes }: ClockParts): string {
  const ofHours = hours === undefined ? 'every hour' : numbers('hour', hours);
  if (everyMinutes !== undefined) {
    return hours === undefined
      ? `every ${everyMinutes} minutes`
      : `every ${everyMinutes} minutes of ${ofHours}`;
  }
  const everyMinute = hours === undefined ? 'every minute' : `every minute of ${ofHours}`;
  const ofMinutes = minutes === undefined ? everyMinute : `${numbers('minute', minutes)} of ${ofHours}`;
  const isWholeMinute = seconds?.length === 1 && seconds[0]?.[1] === 0;
  if (isWholeMinute) return minutes === undefined ? everyMinute : `at ${ofMinutes}`;
  if (seconds !== undefined) return `at ${numbers('second', seconds)} of ${ofMinutes}`;
  return minutes === undefined && hours === undefined ? 'every second' : `every second of ${ofMinutes}`;
}

function numbers(noun: string, ranges: NonNullable<Ranges>): string {
  const texts = rangeTexts(ranges, ' to ');
  const isOne = ranges.length === 1 && ranges[0]?.[0] === ranges[0]?.[1];
  return isOne ? `${noun} ${and(texts)}` : `${noun}s ${and(texts)}`;
}

function weekdayList(days: readonly number[]): string {
  return isWorkdays(days) ? 'weekdays' : and(days.map(weekdayName));
}

function ofPeriod(period: Period): string {
  if (period === 'month') return '';
  return period === 'year' ? ' of the year' : ` of ${monthName(period)}`;
}

function and(items: readonly string[]): string {
  return listed(items, ' and ');
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

function moment({ year, month, day }: PlainDate, time: string | undefined): string {
  const date = `${day} ${monthName(month)} ${year}`;
  return time === undefined ? date : `${date} ${time}`;
}

function weekdayName(weekday: number): string {
  return weekdays[weekday] ?? '';
}

function monthName(month: number): string {
  return months[month - 1] ?? '';
}
