// Cron expressions: five fields (minute, hour, day of the month, month, day of the week), or six with seconds
// first. croner parses them and finds their times, in wall time; docs/reference/recurrences.md has the syntax.
//
// Where both the day of the month and the day of the week are given (neither begins with `*` or `?`), a day
// fits if *either* matches. Source: crontab(5) of Vixie's cron.

import { Cron, CronPattern } from 'croner';
import { suggestion } from '../../base/errors.js';
import { NotationError, type Token, tokensOf } from './notation.js';

/** The name of each field in errors, its characters, its bounds, and words to suggest. */
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

/** A parsed cron expression. */
export interface CronExpression {
  /** Normalised: fields separated by one space, names in lower case. */
  readonly text: string;
  /** Whether seconds, minutes or hours begin with `*`, so that it means an interval, not times of day. */
  readonly isInterval: boolean;
  /** Whether both kinds of days are given, and either may match; otherwise both have to. */
  readonly eitherDay: boolean;
  /** How many days before the last of the month, for `L-3`; otherwise 0. */
  readonly beforeLast: number;
  /** croner's parse result; `L-3` is `L` in it. */
  pattern(): CronPattern;
  /** The first matching wall time that is not before another; infinity if there is none. */
  firstFrom(wall: number): number;
}

/**
 * Parses a cron expression.
 *
 * @throws NotationError (`LINOD_ERR_NOTATION`)
 */
export function parseCron(text: string): CronExpression {
  const known = expressions.get(text);
  if (known !== undefined) return known;
  if (expressions.size >= maxExpressions) expressions.clear();
  const expression = readCron(text);
  expressions.set(text, expression);
  return expression;
}

/** Cached, since croner checks a text slowly and a site uses the same texts again and again. */
const expressions = new Map<string, CronExpression>();
const maxExpressions = 1000;

function readCron(text: string): CronExpression {
  const tokens = expand(text);
  if (tokens.length !== 5 && tokens.length !== 6) {
    const expected =
      'expected 5 fields (minute, hour, day of the month, month, day of the week) or 6 (second first)';
    const extra = tokens[6] ?? { text: '', at: text.length };
    throw new NotationError('cron', text, extra, `${expected}, got: ${tokens.length}`);
  }
  const fields = tokens.length === 6 ? tokens : [{ text: '0', at: 0 }, ...tokens];
  for (const [i, token] of fields.entries()) checkField(text, i, token);
  const isBeforeLast = /^l-/.test(fields[3]?.text ?? '');
  if (isBeforeLast && !/^[*?]$/.test(fields[5]?.text ?? ''))
    throw wrong(text, fields[5], '* for the day of the week beside L-1 to L-27');
  const expression = expressionOf(tokens.map((token) => token.text).join(' '));
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

/** Sunday is both 0 and 7; as the end of a range it has to be 7. */
function sundayLast(weekdays: string): string {
  return weekdays.replace(/\b(0|sun)-(0|sun)\b/g, '7-7').replace(/-(0|sun)\b/g, '-7');
}

/** The numbers that a cron expression matches, for its description. */
export function numbersOf(cron: CronExpression): {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** From 1; -1 is the last. */
  readonly days: readonly number[];
  /** From 1 to 12. */
  readonly months: readonly number[];
  /** 0 is Monday; `positions` in the month, or null for all. */
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

/** Limited, since a Cron object takes much memory. */
const crons = new Map<string, Cron<unknown>>();
const maxCrons = 50;

function cronOf(text: string, options: ConstructorParameters<typeof Cron>[1] & object): Cron<unknown> {
  const key = `${text} ${JSON.stringify(options)}`;
  const cron = crons.get(key) ?? new Cron(text, options);
  crons.delete(key);
  crons.set(key, cron);
  const [oldest = ''] = crons.keys();
  if (crons.size > maxCrons) crons.delete(oldest);
  return cron;
}

/** The fields in lower case. The fields of a short form have its position. */
function expand(text: string): Token[] {
  const tokens = tokensOf(text.toLowerCase());
  const [first, second] = tokens;
  if (first === undefined || !first.text.startsWith('@')) return tokens;
  if (!shortForms.includes(first.text)) {
    const hint = suggestion(first.text, shortForms);
    throw wrong(text, first, `one of ${shortForms.join(', ')}`, hint);
  }
  if (second !== undefined) throw wrong(text, second, `nothing after ${first.text}`);
  return tokensOf(new CronPattern(first.text).pattern.toLowerCase()).map((token) => ({
    ...token,
    at: first.at,
  }));
}

/** Parses each field separately, since croner does not say which one is wrong. */
function checkField(text: string, index: number, token: Token): void {
  const field = cronFields[index] ?? second;
  const alone = cronFields.map((_, i) => (i === index ? token.text : '*'));
  const before = /^l-(\d+)$/.exec(token.text);
  if (index === 5) alone[5] = sundayLast(token.text);
  if (index === 3 && before !== null) alone[3] = Number(before[1]) <= 27 ? 'l' : 'x';
  try {
    if (field.chars.test(token.text)) {
      new CronPattern(alone.join(' '), undefined, { mode: '6-part', sloppyRanges: true });
      return;
    }
  } catch {
    // Reported below, with the name of the field.
  }
  const words: readonly string[] = field.names;
  const word = token.text.match(/[a-z]{2,}/g)?.find((found) => !words.includes(found));
  const hint = word === undefined ? '' : suggestion(word, words);
  throw wrong(text, token, `${field.name} to be ${field.bounds}, or * and steps of them`, hint);
}

function wrong(
  text: string,
  token: Token = { text: '', at: text.length },
  expected: string,
  hint = '',
): NotationError {
  const problem = `expected ${expected}, got: ${JSON.stringify(token.text)}`;
  return new NotationError('cron', text, token, problem, hint);
}
