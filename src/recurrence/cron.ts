// Cron expressions: five fields (minute, hour, day of the month, month, day of the week), or six with seconds first.
// croner reads them and finds their times, in wall time; docs/recurrences.md has what they may be.
//
// Where both the day of the month and the day of the week are given, that is neither begins with `*` or `?`, a day
// is meant when *either* fits. Source: crontab(5) of Vixie's cron.

import { Cron, CronPattern } from 'croner';
import { suggestion } from '../errors.js';
import { NotationError, type Piece, piecesOf } from './notations/notation.js';

/** What people call the fields, and what stands in them: its characters, its bounds, names to suggest. */
const second = { name: 'the second', chars: /^[\d*,/-]+$/, bounds: 'numbers from 0 to 59', names: [] };
const cronFields = [
  second,
  { ...second, name: 'the minute' },
  { ...second, name: 'the hour', bounds: 'numbers from 0 to 23' },
  {
    name: 'the day of the month',
    chars: /^(l-\d+|[\d*?,/l-]+)$/,
    bounds: 'numbers from 1 to 31, L for the last day, or L-1 to L-27 alone for one before it',
    names: [],
  },
  {
    name: 'the month',
    chars: /^[\da-z*,/-]+$/,
    bounds: 'numbers from 1 to 12 or names from jan to dec',
    names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  {
    name: 'the day of the week',
    chars: /^[\da-z*?,/#-]+$/,
    bounds: 'numbers from 0 to 7 or names from mon to sun, each perhaps with #1 to #5 or L',
    names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
  },
] as const;

const shortForms = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];

/** A cron expression that was understood. */
export interface CronExpression {
  /** In one spelling: fields parted by one space, names in lower case. */
  readonly text: string;
  /** Whether seconds, minutes or hours begin with `*`, so that it stands for an interval, not for times of day. */
  readonly isInterval: boolean;
  /** Whether both kinds of days are given, so that a day is meant where either fits; else both have to. */
  readonly eitherDay: boolean;
  /** How many days before the last of the month, for `L-3`; else 0. */
  readonly beforeLast: number;
  /** What croner makes of the text; `L-3` is `L` in it. */
  pattern(): CronPattern;
  /** The first wall time that is not before another; infinity if there is none. */
  firstFrom(wall: number): number;
}

/**
 * Reads a cron expression.
 *
 * @throws NotationError (`LINOD_ERR_NOTATION`)
 */
export function parseCron(text: string): CronExpression {
  const known = expressions.get(text);
  if (known !== undefined) return known;
  if (expressions.size >= mostExpressions) expressions.clear();
  const expression = readCron(text);
  expressions.set(text, expression);
  return expression;
}

/** croner takes a millisecond to check a text field by field; a site reads the same ones again and again. */
const expressions = new Map<string, CronExpression>();
const mostExpressions = 1000;

function readCron(text: string): CronExpression {
  const pieces = expand(text);
  if (pieces.length !== 5 && pieces.length !== 6) {
    const expected =
      'expected 5 fields (minute, hour, day of the month, month, day of the week) or 6 (second first)';
    const extra = pieces[6] ?? { text: '', at: text.length };
    throw new NotationError('cron', text, extra, `${expected}, got: ${pieces.length}`);
  }
  const fields = pieces.length === 6 ? pieces : [{ text: '0', at: 0 }, ...pieces];
  for (const [i, piece] of fields.entries()) checkField(text, i, piece);
  const isBeforeLast = /^l-/.test(fields[3]?.text ?? '');
  if (isBeforeLast && !/^[*?]$/.test(fields[5]?.text ?? ''))
    throw wrong(text, fields[5], '* for the day of the week beside L-1 to L-27');
  const expression = expressionOf(pieces.map((piece) => piece.text).join(' '));
  if (expression.firstFrom(0) === Number.POSITIVE_INFINITY)
    throw wrong(text, fields[3], 'a day of the month that the month has');
  return expression;
}

function expressionOf(text: string): CronExpression {
  const [weekdays = '', month, days = '', ...times] = text.split(' ').reverse();
  const beforeLast = Number(/^l-(\d+)$/.exec(days)?.[1] ?? 0);
  const eitherDay = !/^[*?]/.test(days) && !/^[*?]/.test(weekdays);
  const cronerDays = beforeLast === 0 ? days : 'l';
  const cronerText = [sundayLast(weekdays), month, cronerDays, ...times].reverse().join(' ');
  const options = { utcOffset: 0, sloppyRanges: true, domAndDow: !eitherDay, dayOffset: -beforeLast };
  return {
    text,
    isInterval: times.some((field) => field.startsWith('*')),
    eitherDay,
    beforeLast,
    pattern: () => new CronPattern(cronerText, undefined, { sloppyRanges: true }),
    firstFrom: (wall) => {
      const next = cronOf(cronerText, options).nextRun(new Date(Math.ceil(wall / 1000) * 1000 - 1));
      return next?.getTime() ?? Number.POSITIVE_INFINITY;
    },
  };
}

/** Sunday is 0 and 7: as the end of a range it comes last. */
function sundayLast(weekdays: string): string {
  return weekdays.replace(/\b(0|sun)-(0|sun)\b/g, '7-7').replace(/-(0|sun)\b/g, '-7');
}

/** The numbers that a cron expression means, for what puts it into words. */
export function numbersOf(cron: CronExpression): {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** From 1 on; from the end -1 is the last. */
  readonly days: readonly number[];
  /** From 1 to 12. */
  readonly months: readonly number[];
  /** From 0 for Monday; which of the month, or null for each. */
  readonly weekdays: ReadonlyArray<{
    readonly weekday: number;
    readonly positions: readonly number[] | null;
  }>;
} {
  const { second, minute, hour, day, lastDayOfMonth, month, dayOfWeek } = cron.pattern();
  const set = (flags: readonly number[], first = 0) =>
    flags.flatMap((flag, i) => (flag === 1 ? [i + first] : []));
  const weekdays = [1, 2, 3, 4, 5, 6, 0].flatMap((sunday, weekday) => {
    const bits = dayOfWeek[sunday] ?? 0;
    const positions = [1, 2, 3, 4, 5, -1].filter((_, i) => bits & (1 << i));
    return bits === 0 ? [] : [{ weekday, positions: positions.length === 6 ? null : positions }];
  });
  return {
    ...{ seconds: set(second), minutes: set(minute), hours: set(hour), months: set(month, 1), weekdays },
    days: [...set(day, 1), ...(lastDayOfMonth ? [-1 - cron.beforeLast] : [])],
  };
}

/** Each takes 80 kB, so that not every rule can keep its own. */
const crons = new Map<string, Cron<unknown>>();
const mostCrons = 50;

function cronOf(text: string, options: ConstructorParameters<typeof Cron>[1] & object): Cron<unknown> {
  const key = `${text} ${JSON.stringify(options)}`;
  const cron = crons.get(key) ?? new Cron(text, options);
  crons.delete(key);
  crons.set(key, cron);
  const [oldest = ''] = crons.keys();
  if (crons.size > mostCrons) crons.delete(oldest);
  return cron;
}

/** The fields in lower case; those of a short form stand where it stands. */
function expand(text: string): Piece[] {
  const pieces = piecesOf(text.toLowerCase());
  const [first, second] = pieces;
  if (first === undefined || !first.text.startsWith('@')) return pieces;
  if (!shortForms.includes(first.text)) {
    const hint = suggestion(first.text, shortForms);
    throw wrong(text, first, `one of ${shortForms.join(', ')}`, hint);
  }
  if (second !== undefined) throw wrong(text, second, `nothing after ${first.text}`);
  return piecesOf(new CronPattern(first.text).pattern.toLowerCase()).map((piece) => ({
    ...piece,
    at: first.at,
  }));
}

/** croner does not say which field is wrong, so each is read by itself. */
function checkField(text: string, index: number, piece: Piece): void {
  const field = cronFields[index] ?? second;
  const alone = cronFields.map((_, i) => (i === index ? piece.text : '*'));
  const before = /^l-(\d+)$/.exec(piece.text);
  if (index === 5) alone[5] = sundayLast(piece.text);
  if (index === 3 && before !== null) alone[3] = Number(before[1]) <= 27 ? 'l' : 'x';
  try {
    if (field.chars.test(piece.text)) {
      new CronPattern(alone.join(' '), undefined, { mode: '6-part', sloppyRanges: true });
      return;
    }
  } catch {
    // It is told below, in words that name the field.
  }
  const words: readonly string[] = field.names;
  const word = piece.text.match(/[a-z]{2,}/g)?.find((found) => !words.includes(found));
  const hint = word === undefined ? '' : suggestion(word, words);
  throw wrong(text, piece, `${field.name} to be ${field.bounds}, or * and steps of them`, hint);
}

function wrong(
  text: string,
  piece: Piece = { text: '', at: text.length },
  expected: string,
  hint = '',
): NotationError {
  const problem = `expected ${expected}, got: ${JSON.stringify(piece.text)}`;
  return new NotationError('cron', text, piece, problem, hint);
}
