// German.

import type { MissingTime, RepeatedTime } from '../fields.js';
import type { ClockParts, Language, Period, PeriodUnit, PlainDate, Ranges } from './language.js';
import { isWorkdays, listed, rangeTexts } from './lists.js';

const weekdays = ['Montag', 'Dienstag', 'Mittwoch', 'Donnerstag', 'Freitag', 'Samstag', 'Sonntag'];
const months = [
  'Januar',
  'Februar',
  'März',
  'April',
  'Mai',
  'Juni',
  'Juli',
  'August',
  'September',
  'Oktober',
  'November',
  'Dezember',
];
const units: Readonly<Record<PeriodUnit, readonly [one: string, many: string]>> = {
  secondly: ['jede Sekunde', 'Sekunden'],
  minutely: ['jede Minute', 'Minuten'],
  hourly: ['jede Stunde', 'Stunden'],
  daily: ['jeden Tag', 'Tage'],
  weekly: ['jede Woche', 'Wochen'],
  monthly: ['jeden Monat', 'Monate'],
  yearly: ['jedes Jahr', 'Jahre'],
};
const ordinals = ['ersten', 'zweiten', 'dritten', 'vierten', 'fünften'];
const fromEnd = [
  'letzten',
  'vorletzten',
  'drittletzten',
  'viertletzten',
  'fünftletzten',
  'sechstletzten',
  'siebtletzten',
  'achtletzten',
  'neuntletzten',
  'zehntletzten',
];
const missing: Readonly<Record<MissingTime, string>> = {
  shifted: 'fehlende Uhrzeiten verschoben',
  skipped: 'fehlende Uhrzeiten ausgelassen',
  'at-jump': 'fehlende Uhrzeiten zum Zeitpunkt der Umstellung',
};
const repeated: Readonly<Record<RepeatedTime, string>> = {
  first: 'doppelte Uhrzeiten beim ersten Mal',
  second: 'doppelte Uhrzeiten beim zweiten Mal',
  both: 'doppelte Uhrzeiten beide Male',
};

export const german: Language = {
  every: (unit, count) => (count === 1 ? units[unit][0] : `alle ${count} ${units[unit][1]}`),
  onWeekdays: (days) => weekdayList(days),
  onlyOnWeekdays: (days) => `nur ${weekdayList(days)}`,
  onEveryWeekday: (days) => `an jedem ${und(days.map(weekdayName))}`,
  onDays: (positions, period) => {
    const isPlain = period !== 'year' && positions.every((position) => position > 0);
    const numbers = und(positions.map(dayOrdinal));
    return isPlain ? `am ${numbers}${inPeriod(period)}` : `am ${numbers} Tag${inPeriod(period)}`;
  },
  onPositions: (positions, days, period) => {
    const which = und(positions.map(ordinal));
    if (days.length === 1) return `am ${which} ${und(days.map(weekdayName))}${inPeriod(period)}`;
    if (isWorkdays(days)) return `am ${which} Wochentag von Montag bis Freitag${inPeriod(period)}`;
    return `am ${which} Tag${inPeriod(period)}, der ein ${listed(days.map(weekdayName), ' oder ')} ist,`;
  },
  onDate: (day, month) => `am ${day}. ${monthName(month)}`,
  fromEaster: (days) => {
    if (days === 0) return 'am Ostersonntag';
    const count = Math.abs(days) === 1 ? '1 Tag' : `${Math.abs(days)} Tage`;
    return days < 0 ? `${count} vor Ostersonntag` : `${count} nach Ostersonntag`;
  },
  at: (times) => `um ${und(times)} Uhr`,
  atClock,
  anyOf: (phrases) => listed(phrases, ' oder '),
  bothOf: (days, onWeekdays) => `${days}, aber nur ${onWeekdays}`,
  inMonths: (numbers) => `im ${und(numbers.map(monthName))}`,
  inZone: (name) => `(Zeitzone ${name})`,
  from: (date, time) => `ab dem ${moment(date, time)}`,
  until: (date, time) => `bis zum ${moment(date, time)}`,
  times: (count) => (count === 1 ? 'insgesamt einmal' : `insgesamt ${count}-mal`),
  missing: (choice) => missing[choice],
  repeated: (choice) => repeated[choice],
  afterRule: (rule) => `nach Regel ${rule}`,
  compose: ({ every, days, months, time, zone, from, until, times, missing, repeated }) => {
    const main = [every, days, months, time, zone, from, until]
      .filter((part) => part !== undefined)
      .join(' ');
    return [main, times, missing, repeated].filter((part) => part !== undefined).join(', ');
  },
};

function atClock({ seconds, minutes, hours, everyMinutes }: ClockParts): string {
  const ofHours = hours === undefined ? 'jeder Stunde' : genitive('Stunde', hours);
  if (everyMinutes !== undefined) {
    return hours === undefined ? `alle ${everyMinutes} Minuten` : `alle ${everyMinutes} Minuten ${ofHours}`;
  }
  const everyMinute = hours === undefined ? 'jede Minute' : `jede Minute ${ofHours}`;
  const isWholeMinute = seconds?.length === 1 && seconds[0]?.[1] === 0;
  if (isWholeMinute) return minutes === undefined ? everyMinute : `${dative('Minute', minutes)} ${ofHours}`;
  const ofEveryMinute = hours === undefined ? 'jeder Minute' : `jeder Minute ${ofHours}`;
  const ofMinutes = minutes === undefined ? ofEveryMinute : `${genitive('Minute', minutes)} ${ofHours}`;
  if (seconds !== undefined) return `${dative('Sekunde', seconds)} ${ofMinutes}`;
  return minutes === undefined && hours === undefined ? 'jede Sekunde' : `jede Sekunde ${ofMinutes}`;
}

/** `der Stunden 8 bis 17` */
function genitive(noun: string, ranges: NonNullable<Ranges>): string {
  const texts = und(rangeTexts(ranges, ' bis '));
  return isOne(ranges) ? `der ${noun} ${texts}` : `der ${noun}n ${texts}`;
}

/** `in den Minuten 5 und 35` */
function dative(noun: string, ranges: NonNullable<Ranges>): string {
  const texts = und(rangeTexts(ranges, ' bis '));
  return isOne(ranges) ? `in der ${noun} ${texts}` : `in den ${noun}n ${texts}`;
}

function isOne(ranges: NonNullable<Ranges>): boolean {
  return ranges.length === 1 && ranges[0]?.[0] === ranges[0]?.[1];
}

/** `montags und freitags` */
function weekdayList(days: readonly number[]): string {
  if (isWorkdays(days)) return 'montags bis freitags';
  return und(days.map((day) => `${weekdayName(day).toLowerCase()}s`));
}

function inPeriod(period: Period): string {
  if (period === 'month') return '';
  return period === 'year' ? ' des Jahres' : ` im ${monthName(period)}`;
}

function und(items: readonly string[]): string {
  return listed(items, ' und ');
}

function ordinal(position: number): string {
  return position > 0 ? (ordinals[position - 1] ?? `${position}.`) : ordinalFromEnd(-position);
}

/** Days of a month are written in figures. */
function dayOrdinal(position: number): string {
  return position > 0 ? `${position}.` : ordinalFromEnd(-position);
}

function ordinalFromEnd(position: number): string {
  return fromEnd[position - 1] ?? `${position}.-letzten`;
}

function moment({ year, month, day }: PlainDate, time: string | undefined): string {
  const date = `${day}. ${monthName(month)} ${year}`;
  return time === undefined ? date : `${date}, ${time} Uhr`;
}

function weekdayName(weekday: number): string {
  return weekdays[weekday] ?? '';
}

function monthName(month: number): string {
  return months[month - 1] ?? '';
}
