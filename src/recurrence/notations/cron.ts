// Cron: five fields (minute, hour, day of the month, month, day of the week), or six with seconds first.
//
// A field is `*`, or numbers, ranges and steps parted by commas: `5`, `1-5`, `*/15`, `8-18/2`, `10/20` (from 10 on).
// Months and days of the week also have names, `jan` and `mon`; Sunday is 0 and 7. A day of the month may be `L`, the
// last one, or `L-3`; a day of the week `5#2`, the second Friday, or `5L`, the last one. `?` is another `*` for days.
// `@yearly`, `@monthly`, `@weekly`, `@daily`, `@hourly` are short forms; `CRON_TZ=Europe/Tallinn` may come first.
//
// Where both the day of the month and the day of the week are given, that is neither begins with `*` or `?`, a day
// is meant when *either* fits. Source: crontab(5) of Vixie's cron, also for the short forms; `L` and `#` are Quartz's.

import { suggestion } from '../../errors.js';
import type { CronExpression, CronWeekday } from '../cron-expression.js';
import { NotationError, type Piece, piecesOf } from './error.js';
import { plainTiming, type Timing } from './timing.js';

interface Field {
  /** What people call it. */
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Names of the numbers from `min` on. */
  readonly names: readonly string[];
}

const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const second: Field = { name: 'the second', min: 0, max: 59, names: [] };
const minute: Field = { name: 'the minute', min: 0, max: 59, names: [] };
const hour: Field = { name: 'the hour', min: 0, max: 23, names: [] };
const day: Field = { name: 'the day of the month', min: 1, max: 31, names: [] };
const month: Field = { name: 'the month', min: 1, max: 12, names: monthNames };
const weekday: Field = { name: 'the day of the week', min: 0, max: 7, names: weekdayNames };

/** How many days each month has, in a leap year. */
const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const shortForms: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/**
 * Reads a cron expression.
 *
 * @throws NotationError (`LINOD_ERR_NOTATION`)
 */
export function parseCron(text: string): CronExpression {
  const pieces = expand(text);
  if (pieces.length !== 5 && pieces.length !== 6) {
    const expected =
      'expected 5 fields (minute, hour, day of the month, month, day of the week) or 6 (second first)';
    const extra = pieces[6] ?? { text: '', at: text.length };
    throw new NotationError('cron', text, extra, `${expected}, got: ${pieces.length}`);
  }
  const [seconds, minutes, hours, days, months, weekdays] =
    pieces.length === 6 ? pieces : [{ text: '0', at: 0 }, ...pieces];
  const open = [days, weekdays].map((piece) => /^[*?]/.test(piece?.text ?? ''));
  const expression: CronExpression = {
    text: pieces.map((piece) => piece.text).join(' '),
    seconds: numbersOf(second, text, seconds),
    minutes: numbersOf(minute, text, minutes),
    hours: numbersOf(hour, text, hours),
    days: sorted(items(days).flatMap((item) => daysOf(text, item))),
    months: numbersOf(month, text, months),
    weekdays: unique(items(weekdays).flatMap((item) => weekdaysOf(text, item))),
    eitherDay: !open.includes(true),
    isInterval: [seconds, minutes, hours].some((piece) => piece?.text.startsWith('*')),
  };
  if (!hasDay(expression))
    throw wrong(text, days ?? { text: '', at: 0 }, 'a day of the month that the month has');
  return expression;
}

/** Whether there is such a day in any year: not 30 February. */
function hasDay({ days, months, eitherDay }: CronExpression): boolean {
  const fits = (number: number, monthDays: number): boolean => number <= monthDays && -number < monthDays;
  return (
    eitherDay || months.some((found) => days.some((number) => fits(number, longestMonths[found - 1] ?? 0)))
  );
}

/**
 * Reads a cron expression, perhaps after `CRON_TZ=…` or `TZ=…`, as a timing.
 *
 * @throws NotationError (`LINOD_ERR_NOTATION`)
 */
export function parseCronLine(text: string): Timing {
  const [, timezone = null, expression = text] = /^\s*(?:CRON_)?TZ=(\S+)\s+(.*)$/s.exec(text) ?? [];
  return { ...plainTiming, everyUnit: 'cron', cron: parseCron(expression).text, timezone };
}

/** The fields in lower case; those of a short form stand where it stands. */
function expand(text: string): Piece[] {
  const pieces = piecesOf(text.toLowerCase());
  const [first] = pieces;
  if (first === undefined || !first.text.startsWith('@')) return pieces;
  const fields = Object.hasOwn(shortForms, first.text) ? shortForms[first.text] : undefined;
  if (fields !== undefined && pieces.length === 1) {
    return fields.split(' ').map((field) => ({ text: field, at: first.at }));
  }
  if (fields !== undefined) throw wrong(text, pieces[1] ?? first, `nothing after ${first.text}`);
  const known = Object.keys(shortForms);
  const hint = suggestion(first.text, known);
  throw wrong(text, first, `one of ${known.join(', ')}`, hint);
}

/** What stands between the commas of a field. */
function items(field: Piece | undefined): Piece[] {
  if (field === undefined) return [];
  let at = field.at;
  return field.text.split(',').map((text) => {
    const piece = { text, at };
    at += text.length + 1;
    return piece;
  });
}

function numbersOf(field: Field, text: string, piece: Piece | undefined): number[] {
  return sorted(items(piece).flatMap((item) => range(field, text, item)));
}

function daysOf(text: string, item: Piece): number[] {
  if (/^\d+w$|^lw$/.test(item.text))
    throw wrong(text, item, 'a day of the month without W, which is not known here');
  const [, before = '0'] = /^l(?:-(\d{1,2}))?$/.exec(item.text) ?? [undefined, undefined];
  if (!item.text.startsWith('l')) return range(day, text, item);
  if (!/^l(-\d{1,2})?$/.test(item.text) || Number(before) > 30) {
    throw wrong(text, item, 'L for the last day of the month, or L-1 to L-30 for one before it');
  }
  return [0 - Number(before)];
}

function weekdaysOf(text: string, item: Piece): CronWeekday[] {
  const [, name, mark, position] = /^([a-z0-7]*?)(?:(l)|#(.*))$/.exec(item.text) ?? [];
  if (name === undefined)
    return range(weekday, text, item).map((found) => ({ weekday: fromMonday(found), position: null }));
  if (name === '') throw wrong(text, item, 'a day of the week before L or #, such as 5L');
  const found = fromMonday(numberOf(weekday, text, { text: name, at: item.at }));
  if (mark !== undefined) return [{ weekday: found, position: -1 }];
  if (!/^[1-5]$/.test(position ?? '')) throw wrong(text, item, 'a number from 1 to 5 after #');
  return [{ weekday: found, position: Number(position) }];
}

/** `*`, `5`, `1-5`, each perhaps with a step, `/2`. */
function range(field: Field, text: string, item: Piece): number[] {
  const [, from = '', to, step] = /^([^/-]*)(?:-([^/]*))?(?:\/(.*))?$/.exec(item.text) ?? [];
  const isAll = from === '*' || (from === '?' && (field === day || field === weekday));
  if (isAll && to !== undefined) throw wrong(text, item, `a number before - for ${field.name}`);
  // Sunday is 0 and 7: as the end of a range it comes last.
  const all = field === weekday ? 6 : field.max;
  const low = isAll ? field.min : numberOf(field, text, { text: from, at: item.at });
  const end = to === undefined ? low : numberOf(field, text, { text: to, at: item.at + from.length + 1 });
  const high =
    isAll || (to === undefined && step !== undefined)
      ? all
      : to !== undefined && field === weekday && end === 0 && low > 0
        ? 7
        : end;
  if (low > high) throw wrong(text, item, `a range of ${field.name} that does not run backwards`);
  const every =
    step === undefined
      ? 1
      : stepOf(field, text, { text: step, at: item.at + item.text.length - step.length });
  const numbers: number[] = [];
  for (let number = low; number <= high; number += every) numbers.push(number);
  return numbers;
}

function numberOf(field: Field, text: string, piece: Piece): number {
  const named = field.names.indexOf(piece.text);
  if (named >= 0) return field.min + named;
  const number = /^\d{1,2}$/.test(piece.text) ? Number(piece.text) : Number.NaN;
  if (number >= field.min && number <= field.max) return number;
  const names = field.names.length > 0 ? ` or a name from ${field.names[0]} to ${field.names.at(-1)}` : '';
  const hint = /[a-z]/.test(piece.text) ? suggestion(piece.text, field.names) : '';
  throw wrong(text, piece, `${field.name} to be a number from ${field.min} to ${field.max}${names}`, hint);
}

function stepOf(field: Field, text: string, piece: Piece): number {
  const step = /^\d{1,2}$/.test(piece.text) ? Number(piece.text) : 0;
  if (step >= 1 && step <= field.max) return step;
  throw wrong(text, piece, `the step of ${field.name} to be a number from 1 to ${field.max}`);
}

/** 0 for Monday to 6 for Sunday. */
function fromMonday(number: number): number {
  return (number + 6) % 7;
}

function sorted(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}

function unique(weekdays: readonly CronWeekday[]): CronWeekday[] {
  return weekdays.filter(
    (one, i) =>
      weekdays.findIndex((other) => other.weekday === one.weekday && other.position === one.position) === i,
  );
}

function wrong(text: string, piece: Piece, expected: string, hint = ''): NotationError {
  return new NotationError(
    'cron',
    text,
    piece,
    `expected ${expected}, got: ${JSON.stringify(piece.text)}`,
    hint,
  );
}
