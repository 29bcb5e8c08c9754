// The English vocabulary of notations/words.ts, in lower case.

import { Info } from 'luxon';
import { type EveryUnit, RecurrenceUnits, type Weekday, Weekdays } from '../fields.js';

/** `daily` and the like. */
export const adverbs: ReadonlyMap<string, EveryUnit> = new Map([
  ...Array.from(RecurrenceUnits, ({ value }) => [value, value] as const).slice(0, 7),
  ['annually', 'yearly'],
]);

const units: ReadonlyMap<string, EveryUnit> = new Map([
  ...(['second', 'sec'].map((word) => [word, 'secondly']) as Array<[string, EveryUnit]>),
  ...(['minute', 'min'].map((word) => [word, 'minutely']) as Array<[string, EveryUnit]>),
  ['hour', 'hourly'],
  ['day', 'daily'],
  ['week', 'weekly'],
  ['month', 'monthly'],
  ['year', 'yearly'],
]);

/** From Monday on. */
export const weekdays: readonly Weekday[] = Array.from(Weekdays, ({ value }) => value);
const months = Info.months('long', { locale: 'en' }).map((month) => month.toLowerCase());
const ordinals = 'first second third fourth fifth sixth seventh eighth ninth tenth'.split(' ');

/** A pattern for `first`, `3rd`, `last`, `second to last`. */
export const position = `(?:last|(\\d{1,3}(?:st|nd|rd|th)|${ordinals.join('|')})( to last)?)`;

/** For suggestions. */
export const unitNames: readonly string[] = Array.from(units.keys(), (unit) => `${unit}s`);
export const monthNames: readonly string[] = months;

/** The unit that `week` or `weeks` names. */
export function unitOfWord(word: string): EveryUnit | undefined {
  return units.get(word) ?? units.get(word.replace(/s$/, ''));
}

/** The days that `mon`, `mondays`, `mon-fri`, `weekdays` or `weekend` names, from Monday on. */
export function weekdaysOfWord(word: string): readonly Weekday[] | undefined {
  if (/^weekdays?$/.test(word)) return weekdays.slice(0, 5);
  if (/^weekends?$/.test(word)) return weekdays.slice(5);
  const [first = '', last, ...more] = word.split('-');
  const from = weekdays.findIndex((weekday) => isShortFor(first, weekday));
  if (from < 0 || more.length > 0) return undefined;
  if (last === undefined) return weekdays.slice(from, from + 1);
  const to = weekdays.findIndex((weekday) => isShortFor(last, weekday));
  if (to < 0) return undefined;
  return to >= from ? weekdays.slice(from, to + 1) : [...weekdays.slice(from), ...weekdays.slice(0, to + 1)];
}

/** The number of the month that `dec` or `december` names, from 1. */
export function monthOfWord(word: string): number | undefined {
  const index = months.findIndex((month) => isShortFor(word, month));
  return index < 0 ? undefined : index + 1;
}

/** The number that `first`, `3rd` or `15th` names. */
export function ordinalOfWord(word: string): number | undefined {
  const [, digits] = /^(\d{1,3})(?:st|nd|rd|th)$/.exec(word) ?? [];
  if (digits !== undefined && Number(digits) >= 1 && Number(digits) <= 366) return Number(digits);
  const index = ordinals.indexOf(word);
  return index < 0 ? undefined : index + 1;
}

/** The time of day that `10:00`, `8`, `8pm` or `noon` names, as `10:00:00`. */
export function timeOfWord(word: string): string | undefined {
  if (word === 'noon') return '12:00:00';
  if (word === 'midnight') return '00:00:00';
  const [, hour, minute = '00', second = '00', half] =
    /^(\d{1,2})(?::(\d\d))?(?::(\d\d))?(am|pm)?$/.exec(word) ?? [];
  if (hour === undefined || Number(minute) > 59 || Number(second) > 59) return undefined;
  const isHour = half === undefined ? Number(hour) <= 23 : Number(hour) >= 1 && Number(hour) <= 12;
  if (!isHour) return undefined;
  const hours = half === undefined ? Number(hour) : (Number(hour) % 12) + (half === 'pm' ? 12 : 0);
  return `${String(hours).padStart(2, '0')}:${minute}:${second}`;
}

/** `mon`, `tues`, `fridays`: at least three letters of a name, and perhaps an s. */
function isShortFor(word: string, name: string): boolean {
  const short = word.length > name.length ? word.replace(/s$/, '') : word;
  return short.length >= 3 && name.startsWith(short);
}
