// English words: `every 2 weeks on mon, fri at 10:00`, `monthly on the last friday at 18:30`, `2 days before
// easter`.
//
// A text consists of clauses in any order. The first word of a clause identifies it. Clauses give the
// interval (`every 2 weeks`, `daily`), the days (`on …`, `only on …`), the time (`at …`) and the zone (`in
// …`). Others give the ends (`from …`, `until …`, `10 times`) and the choices at clock changes (`missing
// times …`, `repeated times …`). By default, a recurrence counts from the day on which its rule is created,
// and is due at midnight.

import { suggestion } from '../../base/errors.js';
import type { EveryUnit, MissingTime, RepeatedTime, Weekday } from '../fields.js';
import { completeStart } from '../open-start.js';
import { parseWallTime } from '../time/wall-time.js';
import { NotationError, plainTiming, type Timing, type Token, two } from './notation.js';
import {
  adverbs,
  monthNames,
  monthOfWord,
  ordinalOfWord,
  position,
  timeOfWord,
  unitNames,
  unitOfWord,
  weekdays as weekdayNames,
  weekdaysOfWord,
} from './vocabulary.js';

/**
 * Parses words.
 *
 * @throws NotationError (`LINOD_ERR_NOTATION`) pointing at the invalid word
 */
export function parseWords(text: string): Timing {
  return new WordsParser(text).timing();
}

/** The values of the clauses so far. */
interface Clauses {
  unit?: EveryUnit;
  every?: number;
  weekdays?: readonly Weekday[];
  /** Positions among `weekdays`, or days of the month or year where there are none. */
  positions?: readonly number[];
  /** `24 December`, as `--12-24`. */
  date?: string;
  /** `of March`, `of the month`, `of the year` */
  within?: number | 'month' | 'year';
  easter?: number;
  time?: string;
  zone?: string;
  from?: string;
  until?: string;
  count?: number;
  missing?: MissingTime;
  repeated?: RepeatedTime;
}

/** The fields for the days. */
interface Days extends Pick<Timing, 'everyUnit' | 'every' | 'weekdays' | 'positions'> {
  /** The day of an open start, as in open-start.ts. */
  readonly day: string;
}

const clauseWords = [
  ...'every on only at in from until missing repeated easter weekdays'.split(' '),
  ...adverbs.keys(),
];
const clockTime = '\\d+:[\\d:]+(?:am|pm)?';

const missingTimes: ReadonlyMap<string, MissingTime> = new Map([
  ['shifted', 'shifted'],
  ['skipped', 'skipped'],
  ['at the jump', 'at-jump'],
]);
const repeatedTimes: ReadonlyMap<string, RepeatedTime> = new Map([
  ['(?:the )?first(?: time)?', 'first'],
  ['(?:the )?second(?: time)?', 'second'],
  ['both(?: times)?', 'both'],
]);

class WordsParser {
  readonly #text: string;
  readonly #words: readonly Token[];
  #next = 0;
  readonly #clauses: Clauses = {};
  /** The first word of the clause that set a value. */
  readonly #sources = new Map<keyof Clauses, Token>();
  #clauseStart: Token | undefined;

  constructor(text: string) {
    this.#text = text;
    // `8 pm` is one word.
    const words = text.matchAll(/\d[\d:]*\s+[ap]m\b|[^\s,]+/gi);
    this.#words = Array.from(words, (match) => ({ text: match[0], at: match.index }));
  }

  timing(): Timing {
    if (this.#words.length === 0) throw this.#wrong('how often, such as: every 2 weeks on mon, fri at 10:00');
    while (this.#next < this.#words.length) this.#parseClause();
    const { time = '00:00:00', ...clauses } = this.#clauses;
    const { day, ...days } = this.#days(clauses);
    const start = `${day}T${time}`;
    return {
      ...{ ...plainTiming, ...days },
      start: clauses.from === undefined ? start : startFrom(clauses.from, days.everyUnit, day, time),
      timezone: clauses.zone ?? null,
      until: clauses.until ?? null,
      count: clauses.count ?? null,
      missingTime: clauses.missing ?? null,
      repeatedTime: clauses.repeated ?? null,
    };
  }

  #parseClause(): void {
    this.#clauseStart = this.#words[this.#next];
    const unit = adverbs.get(this.#peek());
    if (unit !== undefined) {
      this.#next++;
      this.#set('unit', unit);
    } else if (this.#accept('every|each')) this.#every();
    else if (this.#accept('only on') || this.#isWeekday()) this.#set('weekdays', this.#weekdays());
    else if (this.#accept('on')) this.#on();
    else if (this.#accept('at') || this.#isNext('noon|midnight')) this.#set('time', this.#time());
    else if (this.#accept('in')) this.#set('zone', this.#zone());
    else if (this.#accept('from|starting|since')) this.#from();
    else if (this.#accept('until|till')) this.#set('until', this.#moment().join('T'));
    else if (this.#accept('missing'))
      this.#choose('missing', missingTimes, 'shifted, skipped or at the jump');
    else if (this.#accept('repeated'))
      this.#choose('repeated', repeatedTimes, 'the first time, the second time or both times');
    else if (this.#accept('once(?: in all)?')) this.#set('count', 1);
    else if (this.#isNext('\\d+')) this.#numbered();
    else if (!this.#acceptEaster())
      throw this.#wrong('a clause such as every, on, at, in, from, until', clauseWords);
  }

  /** After `every`: `2 weeks`, `second week`, `other week`, `week`, `Monday`, `weekday`, `Easter`. */
  #every(): void {
    const isOther = this.#accept('other') !== undefined;
    const count = isOther ? 2 : this.#everyNumber();
    if (count !== undefined) this.#set('every', count);
    if (this.#isWeekday()) {
      if (count !== undefined && !isOther)
        throw this.#wrong('a unit, as in "every 2 weeks on friday" or "monthly on the second friday"');
      this.#set('weekdays', this.#weekdays());
      if (isOther) this.#set('unit', 'weekly');
    } else if (count !== undefined || !this.#acceptEaster()) {
      const known = [...unitNames, ...weekdayNames];
      this.#set('unit', this.#read(unitOfWord, 'a unit such as days or weeks, or a weekday', known));
    }
  }

  /** `2`, `2nd`; `second` only before a unit or weekday, since it is a unit itself. */
  #everyNumber(): number | undefined {
    const word = this.#peek();
    const isBeforeUnit = unitOfWord(this.#peek(1)) !== undefined || this.#isWeekday(1);
    const ordinal = isBeforeUnit ? ordinalOfWord(word) : undefined;
    const count = /^\d{1,9}(st|nd|rd|th)?$/.test(word) ? Number.parseInt(word, 10) : ordinal;
    if (count === 0) throw this.#wrong('a number from 1 on');
    if (count !== undefined) this.#next++;
    return count;
  }

  /** After `on`: weekdays, `every Monday`, `the last Friday`, `the 15th`, `24 December`, `Easter Monday`. */
  #on(): void {
    if (this.#accept('every|each') || this.#isWeekday()) this.#set('weekdays', this.#weekdays());
    else if (!this.#acceptEaster()) {
      const date = this.#monthAndDay();
      if (date === undefined) this.#positions();
      else this.#set('date', `--${date}`);
    }
  }

  /** `first and last Friday`, `15th`, `last day`, `24th of December`, each perhaps with `of the year`. */
  #positions(): void {
    this.#accept('the');
    const positions: number[] = [];
    const known = [...weekdayNames, ...monthNames, 'first', 'last'];
    let next: RegExpExecArray | undefined = this.#expect(
      position,
      'a weekday, a date, or a position such as first, 15th, last',
      known,
    );
    for (; next !== undefined; next = this.#accept(`(?:and )?(?:the )?${position}`)) {
      const [, ordinal = 'first', toLast] = next;
      const isFromEnd = toLast !== undefined || next[1] === undefined;
      positions.push((ordinalOfWord(ordinal) ?? 1) * (isFromEnd ? -1 : 1));
    }
    this.#set('positions', positions);
    if (this.#accept('days?') ? this.#accept('that is(?: an?)?') : this.#isWeekday())
      this.#set('weekdays', this.#weekdays());
    const [, period] = this.#accept('of (?:the|each|every) (month|year)') ?? [];
    if (period === 'month' || period === 'year') this.#set('within', period);
    else if (this.#accept('of') || monthOfWord(this.#peek()) !== undefined)
      this.#set('within', this.#month());
  }

  /** `24 December` or `December 24` as `12-24`; undefined if neither comes next. */
  #monthAndDay(): string | undefined {
    const isMonthFirst = monthOfWord(this.#peek()) !== undefined;
    const isDayFirst = this.#isNext('\\d\\S*') && monthOfWord(this.#peek(1)) !== undefined;
    if (!isMonthFirst && !isDayFirst) return undefined;
    const month = isMonthFirst ? this.#month() : undefined;
    const dayNumber = '(0?[1-9]|[12]\\d|3[01])(?:st|nd|rd|th)?';
    const day = Number(this.#expect(dayNumber, 'a day of the month from 1 to 31')[1]);
    return `${two(month ?? this.#month())}-${two(day)}`;
  }

  #month(): number {
    return this.#read(monthOfWord, 'a month', monthNames);
  }

  /** `mon, fri`, `Monday and Friday`, `mon-fri`, `Monday to Friday`, `weekdays` */
  #weekdays(): Weekday[] {
    const found: Weekday[] = [];
    do {
      const first = this.#peek();
      const names = this.#read(weekdaysOfWord, 'a weekday', weekdayNames);
      const range = this.#isNext('to|through') ? weekdaysOfWord(`${first}-${this.#peek(1)}`) : undefined;
      if (range !== undefined) this.#next += 2;
      found.push(...(range ?? names));
      if (this.#isNext('and|or') && this.#isWeekday(1)) this.#next++;
    } while (this.#isWeekday());
    return [...new Set(found)];
  }

  #isWeekday(ahead = 0): boolean {
    return weekdaysOfWord(this.#peek(ahead)) !== undefined;
  }

  /** Accepts `easter`, `easter Sunday`, `easter Monday` or `good Friday`, plus a number of days. */
  #acceptEaster(daysAfter = 0): boolean {
    const [found, monday] = this.#accept('good friday|easter(?: (?:sunday|(monday)))?') ?? [];
    if (found === undefined) return false;
    this.#set('easter', daysAfter + (found === 'good friday' ? -2 : monday === undefined ? 0 : 1));
    return true;
  }

  /** A clause with a leading number: `2 days before Easter`, `10 times`. */
  #numbered(): void {
    const count = Number(this.#expect('\\d+', 'a number')[0]);
    if (this.#accept('times?(?: in all)?')) {
      if (count < 1) throw this.#wrong('a number of times from 1 on', [], this.#clauseStart);
      this.#set('count', count);
      return;
    }
    const units = ['days', 'weeks', 'times'];
    const [, unit] = this.#expect('(day|week)s?', 'days or weeks before or after Easter, or times', units);
    const [side] = this.#expect('before|after', 'before or after', ['before', 'after']);
    const offset = count * (unit === 'week' ? 7 : 1);
    if (offset > 300) throw this.#wrong('at most 300 days from Easter', [], this.#clauseStart);
    if (!this.#acceptEaster(side === 'before' ? -offset : offset)) throw this.#wrong('"easter"', ['easter']);
  }

  /** `10:00`, `8`, `8pm`, `8:30 pm`, `noon` */
  #time(): string {
    const time = this.#read(timeOfWord, 'a time of day such as 10:00, 8 or 8:30pm', ['noon', 'midnight']);
    if (this.#isNext(`and \\d[\\d:]*(?:am|pm)?|${clockTime}`))
      throw this.#wrong('one time of day; cron can say several: 0 8,20 * * *');
    return time;
  }

  #zone(): string {
    const word = this.#words[this.#next]?.text ?? '';
    this.#expect('[a-z]\\S*', 'the name of a time zone such as Europe/Tallinn');
    return word;
  }

  #from(): void {
    const [date, time] = this.#moment('');
    this.#set('from', date);
    if (time !== '') this.#set('time', time);
  }

  /**
   * `2026-01-05`, `2026-01-05T10:00`, `5 January 2026`, each perhaps followed by a time of day. A day without
   * a time lasts until its end.
   */
  #moment(otherwise = '23:59:59'): [date: string, time: string] {
    const first = this.#words[this.#next];
    const [, isoDate, isoTime] = this.#accept(`(\\d{4}-\\d\\d-\\d\\d)(?:t(${clockTime}))?`) ?? [];
    const date = isoDate ?? this.#writtenDate();
    const clock = isoTime ?? this.#accept(`(${clockTime})`)?.[1];
    const time = clock === undefined ? otherwise : timeOfWord(clock);
    if (time === undefined || parseWallTime(`${date}T00:00`) === undefined)
      throw this.#wrong('a date of the calendar', [], first);
    return [date, time];
  }

  #writtenDate(): string {
    const date = this.#monthAndDay();
    if (date === undefined) throw this.#wrong('a date such as 2026-01-05 or 5 January 2026');
    return `${this.#expect('\\d{4}', 'a year of four digits')[0]}-${date}`;
  }

  /** After `missing` or `repeated`: `times`, and the choice. */
  #choose<K extends 'missing' | 'repeated'>(
    what: K,
    choices: ReadonlyMap<string, NonNullable<Clauses[K]>>,
    allowed: string,
  ): void {
    this.#expect('times', '"times"', ['times']);
    for (const [pattern, choice] of choices) {
      if (this.#accept(pattern)) {
        this.#set(what, choice);
        return;
      }
    }
    throw this.#wrong(allowed, [...choices.values()]);
  }

  /** Converts the clauses about days to fields of a recurrence. */
  #days(clauses: Clauses): Days {
    const { every = 1, weekdays = [], positions = [], within, easter } = clauses;
    const plain = { every, weekdays, positions, day: '' };
    if (easter !== undefined) {
      this.#onlyWith('easter', clauses, 'yearly', ['weekdays', 'positions', 'date']);
      return { ...plain, everyUnit: 'easterly', day: `easter${easter < 0 ? '-' : '+'}${Math.abs(easter)}` };
    }
    const [position = 0] = positions;
    const isOneDay = positions.length === 1 && position > 0 && weekdays.length === 0;
    const isOfMonth = isOneDay && typeof within === 'number';
    const date = isOfMonth ? `--${two(within)}-${two(position)}` : clauses.date;
    if (date !== undefined) {
      this.#onlyWith('date', clauses, 'yearly', isOfMonth ? ['weekdays'] : ['weekdays', 'positions']);
      return { ...plain, positions: [], everyUnit: 'yearly', day: date };
    }
    if (positions.length > 0) return this.#positioned(clauses, plain, isOneDay ? position : undefined);
    const everyUnit = clauses.unit ?? (weekdays.length > 0 ? 'weekly' : undefined);
    if (everyUnit === undefined) throw this.#wrong('how often as well, such as: every day');
    return { ...plain, everyUnit };
  }

  /** `the last Friday`, `the 1st and 15th`: of each month, of the year, or of one month. */
  #positioned(clauses: Clauses, plain: Omit<Days, 'everyUnit'>, day: number | undefined): Days {
    const { within } = clauses;
    const all = { ...plain, weekdays: plain.weekdays.length > 0 ? plain.weekdays : weekdayNames };
    const isYearly = within === undefined ? clauses.unit === 'yearly' : within !== 'month';
    this.#onlyWith('positions', clauses, isYearly ? 'yearly' : 'monthly');
    if (typeof within === 'number') {
      // A yearly rule about one month is a rule by twelve months that begins in that month.
      return { ...all, everyUnit: 'monthly', every: 12 * plain.every, day: `--${two(within)}-01` };
    }
    if (isYearly) return { ...all, everyUnit: 'yearly' };
    if (day === undefined || day > 31) return { ...all, everyUnit: 'monthly' };
    return { ...plain, positions: [], everyUnit: 'monthly', day: `---${two(day)}` };
  }

  /** Refuses a unit, or other days, that contradict a clause. */
  #onlyWith(
    what: keyof Clauses,
    { unit }: Clauses,
    allowed: EveryUnit,
    others: ReadonlyArray<keyof Clauses> = [],
  ): void {
    if (unit !== undefined && unit !== allowed) {
      throw this.#wrong(`${allowed} where the text says ${names[what]}`, [], this.#sources.get('unit'));
    }
    for (const other of others) {
      const source = this.#sources.get(other);
      if (source !== undefined)
        throw this.#wrong(`nothing about ${names[other]} beside ${names[what]}`, [], source);
    }
  }

  /** Stores the value of a clause. @throws NotationError when another clause has set it */
  #set<K extends keyof Clauses>(what: K, value: Clauses[K]): void {
    if (this.#clauses[what] !== undefined) throw this.#wrong(`${names[what]} once`, [], this.#clauseStart);
    if (this.#clauseStart !== undefined) this.#sources.set(what, this.#clauseStart);
    this.#clauses[what] = value;
  }

  /** A word ahead, in lower case. */
  #peek(ahead = 0): string {
    return this.#words[this.#next + ahead]?.text.toLowerCase().replace(/\s+/, '') ?? '';
  }

  /** Matches the next words against a pattern of whole words. */
  #match(pattern: string): RegExpExecArray | undefined {
    const rest = this.#words.slice(this.#next).map((_, ahead) => this.#peek(ahead));
    return new RegExp(`^(?:${pattern})(?= |$)`).exec(rest.join(' ')) ?? undefined;
  }

  #isNext(pattern: string): boolean {
    return this.#match(pattern) !== undefined;
  }

  /** Consumes the next words if they match. */
  #accept(pattern: string): RegExpExecArray | undefined {
    const match = this.#match(pattern);
    if (match !== undefined) this.#next += match[0].split(' ').length;
    return match;
  }

  #expect(pattern: string, expected: string, known: readonly string[] = []): RegExpExecArray {
    const match = this.#accept(pattern);
    if (match === undefined) throw this.#wrong(expected, known);
    return match;
  }

  /** Consumes the next word and returns its meaning. */
  #read<T>(meaning: (word: string) => T | undefined, expected: string, known: readonly string[]): T {
    const found = meaning(this.#peek());
    if (found === undefined) throw this.#wrong(expected, known);
    this.#next++;
    return found;
  }

  /** An error about a word, by default the next one. */
  #wrong(expected: string, known: readonly string[] = [], word = this.#words[this.#next]): NotationError {
    const token = word ?? { text: '', at: this.#text.length };
    const found = word === undefined ? 'the end' : JSON.stringify(token.text);
    const hint = suggestion(token.text, known);
    return new NotationError('words', this.#text, token, `expected ${expected}, got: ${found}`, hint);
  }
}

const names: Readonly<Record<keyof Clauses, string>> = {
  unit: 'how often',
  every: 'how often',
  weekdays: 'the weekdays',
  positions: 'the days',
  date: 'the date',
  within: 'the month or year',
  easter: 'Easter',
  time: 'the time of day',
  zone: 'the time zone',
  from: 'the beginning',
  until: 'the end',
  count: 'the number of times',
  missing: 'what happens to missing times',
  repeated: 'what happens to repeated times',
};

/** The first day from a date on that fits the days. */
function startFrom(from: string, everyUnit: EveryUnit, day: string, time: string): string {
  // In a monthly rule of that month, times before the date do not count anyway.
  const isInMonth = everyUnit === 'monthly' && from.slice(4, 7) === day.slice(1, 4);
  return isInMonth ? `${from}T${time}` : completeStart(`${day}T${time}`, `${from}T00:00`);
}
