// English words: `every 2 weeks on mon, fri at 10:00`, `monthly on the last friday at 18:30`, `2 days before easter`.
//
// A text is clauses in any order, each beginning with a word that tells it: how often (`every 2 weeks`, `daily`), the
// days (`on …`, `only on …`), the time (`at …`), the zone (`in …`), the ends (`from …`, `until …`, `10 times`), the
// choices at clock changes (`missing times …`, `repeated times …`). What is left open is: every day, week, … counted
// from the day on which the rule is made, at midnight.

import { suggestion } from '../../errors.js';
import type { EveryUnit, MissingTime, RepeatedTime, Weekday } from '../fields.js';
import { completeStart } from '../open-start.js';
import { parseWallTime } from '../wall-time.js';
import { NotationError, type Piece, plainTiming, type Timing, two } from './notation.js';
import {
  adverbs,
  monthNames,
  monthOfWord,
  ordinalOfWord,
  timeOfWord,
  unitNames,
  unitOfWord,
  weekdayNames,
  weekdaysOfWord,
} from './vocabulary.js';

/**
 * Reads words.
 *
 * @throws NotationError (`LINOD_ERR_NOTATION`) pointing at the word that is not understood
 */
export function parseWords(text: string): Timing {
  return new Words(text).timing();
}

/** What the clauses have said so far. */
interface Said {
  unit?: EveryUnit;
  every?: number;
  weekdays?: readonly Weekday[];
  /** Which of `weekdays`, or which days of the month or year where there are none. */
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

/** The fields that the days come to. */
interface Days extends Pick<Timing, 'everyUnit' | 'every' | 'weekdays' | 'positions'> {
  /** What an open start has in the place of its day, as in open-start.ts. */
  readonly day: string;
}

const everyDay = weekdaysOfWord('mon-sun') ?? [];

const clauseWords = [
  ...'every on only at in from until missing repeated easter weekdays'.split(' '),
  ...adverbs.keys(),
];

class Words {
  readonly #text: string;
  readonly #words: readonly Piece[];
  #next = 0;
  readonly #said: Said = {};
  /** The first word of the clause that said something. */
  readonly #sources = new Map<keyof Said, Piece>();
  #clauseStart: Piece | undefined;

  constructor(text: string) {
    this.#text = text;
    this.#words = Array.from(text.matchAll(/[^\s,]+/g), (match) => ({ text: match[0], at: match.index }));
  }

  timing(): Timing {
    if (this.#words.length === 0) throw this.#wrong('how often, such as: every 2 weeks on mon, fri at 10:00');
    while (this.#next < this.#words.length) this.#clause();
    const { time = '00:00:00', ...said } = this.#said;
    const { day, ...days } = this.#days(said);
    const start = `${day}T${time}`;
    return {
      ...{ ...plainTiming, ...days },
      start: said.from === undefined ? start : startFrom(said.from, days.everyUnit, day, time),
      timezone: said.zone ?? null,
      until: said.until ?? null,
      count: said.count ?? null,
      missingTime: said.missing ?? null,
      repeatedTime: said.repeated ?? null,
    };
  }

  #clause(): void {
    const word = this.#peek();
    this.#clauseStart = this.#words[this.#next];
    const unit = adverbs.get(word);
    if (unit !== undefined) {
      this.#say('unit', unit);
      this.#next++;
    } else if (this.#took('every', 'each')) this.#every();
    else if (this.#took('only')) {
      this.#expect('on');
      this.#say('weekdays', this.#weekdays());
    } else if (this.#took('on')) this.#on();
    else if (this.#took('at')) this.#say('time', this.#time());
    else if (this.#took('in')) this.#say('zone', this.#zone());
    else if (this.#took('from', 'starting', 'since')) this.#from();
    else if (this.#took('until', 'till')) this.#say('until', this.#untilMoment());
    else if (this.#took('missing')) this.#say('missing', this.#missing());
    else if (this.#took('repeated')) this.#say('repeated', this.#repeated());
    else if (this.#took('once')) this.#count(1);
    else if (word === 'easter' || word === 'good') this.#say('easter', this.#easterDay());
    else if (word === 'noon' || word === 'midnight') this.#say('time', this.#time());
    else if (/^\d+$/.test(word)) this.#numbered();
    else if (weekdaysOfWord(word) !== undefined) this.#say('weekdays', this.#weekdays());
    else throw this.#wrong('a clause such as every, on, at, in, from, until', clauseWords);
  }

  /** After `every`: `2 weeks`, `second week`, `other week`, `week`, `Monday`, `weekday`, `Easter`. */
  #every(): void {
    const word = this.#peek();
    const isOther = this.#took('other');
    const count = isOther ? 2 : this.#everyNumber();
    if (count !== undefined) {
      this.#say('every', count);
      const isWeekday = isOther && weekdaysOfWord(this.#peek()) !== undefined;
      if (isWeekday) this.#say('weekdays', this.#weekdays());
      this.#say('unit', isWeekday ? 'weekly' : this.#unit());
    } else if (word === 'easter' || word === 'good') this.#say('easter', this.#easterDay());
    else if (weekdaysOfWord(word) !== undefined) this.#say('weekdays', this.#weekdays());
    else this.#say('unit', this.#unit());
  }

  /** `2`, `2nd`; `second` only before a unit or weekday, since it is a unit itself. */
  #everyNumber(): number | undefined {
    const word = this.#peek();
    const isNumber = /^\d{1,9}(st|nd|rd|th)?$/.test(word);
    const isOrdinal = [unitOfWord, weekdaysOfWord].some((read) => read(this.#peek(1)) !== undefined);
    const ordinal = isOrdinal ? ordinalOfWord(word) : undefined;
    const count = isNumber ? Number.parseInt(word, 10) : ordinal;
    if (count === undefined) return undefined;
    if (count < 1) throw this.#wrong('a number from 1 on');
    this.#next++;
    return count;
  }

  #unit(): EveryUnit {
    const unit = unitOfWord(this.#peek());
    if (unit === undefined && weekdaysOfWord(this.#peek()) !== undefined) {
      throw this.#wrong('a unit, as in "every 2 weeks on friday" or "monthly on the second friday"');
    }
    if (unit === undefined)
      throw this.#wrong('a unit such as days or weeks, or a weekday', [...unitNames, ...weekdayNames]);
    this.#next++;
    return unit;
  }

  /** After `on`: weekdays, `every Monday`, `the last Friday`, `the 15th`, `24 December`, `Easter Monday`. */
  #on(): void {
    const word = this.#peek();
    if (this.#took('every', 'each')) this.#say('weekdays', this.#weekdays());
    else if (word === 'easter' || word === 'good') this.#say('easter', this.#easterDay());
    else if (weekdaysOfWord(word) !== undefined) this.#say('weekdays', this.#weekdays());
    else if (monthOfWord(word) !== undefined) this.#date(this.#month(), this.#dayNumber());
    else if (/^\d{1,2}$/.test(word) && monthOfWord(this.#peek(1)) !== undefined) {
      const day = this.#dayNumber();
      this.#date(this.#month(), day);
    } else {
      this.#took('the');
      this.#positions();
    }
  }

  /** `first and last Friday`, `15th`, `last day`, `24th of December`, each perhaps with `of the year`. */
  #positions(): void {
    const positions = [this.#position()];
    while (this.#isPosition()) {
      this.#took('and');
      this.#took('the');
      positions.push(this.#position());
    }
    this.#say('positions', positions);
    if (this.#took('day', 'days')) {
      if (this.#took('that')) {
        this.#expect('is');
        this.#took('a', 'an');
        this.#say('weekdays', this.#weekdays());
      }
    } else if (weekdaysOfWord(this.#peek()) !== undefined) this.#say('weekdays', this.#weekdays());
    if (this.#took('of')) this.#within();
    else if (monthOfWord(this.#peek()) !== undefined) this.#say('within', this.#month());
  }

  /** Whether another position follows, and not the next clause. */
  #isPosition(): boolean {
    let ahead = 0;
    for (const filler of ['and', 'the']) if (this.#peek(ahead) === filler) ahead++;
    return ordinalOfWord(this.#peek(ahead)) !== undefined || this.#peek(ahead) === 'last';
  }

  /** `first`, `3rd`, `last`, `second to last` */
  #position(): number {
    if (this.#took('last')) return -1;
    const ordinal = ordinalOfWord(this.#peek());
    if (ordinal === undefined) {
      throw this.#wrong('a weekday, a date, or a position such as first, 15th, last', [
        ...weekdayNames,
        ...monthNames,
        'first',
        'last',
      ]);
    }
    this.#next++;
    if (this.#peek() !== 'to' || this.#peek(1) !== 'last') return ordinal;
    this.#next += 2;
    return -ordinal;
  }

  /** After `of`: `the month`, `each month`, `the year`, `December`. */
  #within(): void {
    if (this.#took('the', 'each', 'every')) {
      if (this.#took('year')) this.#say('within', 'year');
      else {
        this.#expect('month');
        this.#say('within', 'month');
      }
    } else this.#say('within', this.#month());
  }

  #date(month: number, day: number): void {
    this.#say('date', `--${two(month)}-${two(day)}`);
  }

  #month(): number {
    const month = monthOfWord(this.#peek());
    if (month === undefined) throw this.#wrong('a month', monthNames);
    this.#next++;
    return month;
  }

  #dayNumber(): number {
    const day = /^(\d{1,2})(st|nd|rd|th)?$/.exec(this.#peek())?.[1];
    if (day === undefined || Number(day) < 1 || Number(day) > 31)
      throw this.#wrong('a day of the month from 1 to 31');
    this.#next++;
    return Number(day);
  }

  /** `mon, fri`, `Monday and Friday`, `mon-fri`, `Monday to Friday`, `weekdays` */
  #weekdays(): Weekday[] {
    const found: Weekday[] = [];
    for (;;) {
      const ahead = this.#peek() === 'and' || this.#peek() === 'or' ? 1 : 0;
      const word = this.#peek(ahead);
      const names = weekdaysOfWord(word);
      if (names === undefined && found.length > 0) return [...new Set(found)];
      if (names === undefined) throw this.#wrong('a weekday', weekdayNames);
      this.#next += ahead + 1;
      const isRange = this.#peek() === 'to' || this.#peek() === 'through';
      const range = isRange ? weekdaysOfWord(`${word}-${this.#peek(1)}`) : undefined;
      if (range !== undefined) this.#next += 2;
      found.push(...(range ?? names));
    }
  }

  /** `easter`, `easter Sunday`, `easter Monday`, `good Friday` */
  #easterDay(): number {
    if (this.#took('good')) {
      this.#expect('friday');
      return -2;
    }
    this.#expect('easter');
    if (this.#took('monday')) return 1;
    this.#took('sunday');
    return 0;
  }

  /** What begins with a number: `2 days before Easter`, `10 times`. */
  #numbered(): void {
    const count = Number(this.#peek());
    this.#next++;
    if (this.#took('times', 'time')) {
      this.#count(count);
      return;
    }
    const isWeeks = this.#took('weeks', 'week');
    if (!isWeeks && !this.#took('days', 'day'))
      throw this.#wrong('days or weeks before or after Easter, or times', ['days', 'weeks', 'times']);
    const isBefore = this.#took('before');
    if (!isBefore && !this.#took('after')) throw this.#wrong('before or after', ['before', 'after']);
    const offset = count * (isWeeks ? 7 : 1);
    if (offset > 300) throw this.#wrong('at most 300 days from Easter');
    const easter = this.#easterDay();
    this.#say('easter', easter + (isBefore ? -offset : offset));
  }

  #count(count: number): void {
    if (count < 1) throw this.#wrong('a number of times from 1 on');
    this.#say('count', count);
    if (this.#took('in')) this.#expect('all');
  }

  /** `10:00`, `8`, `8pm`, `8:30 pm`, `noon` */
  #time(): string {
    const word = this.#peek();
    const isSplit = this.#peek(1) === 'am' || this.#peek(1) === 'pm';
    const time = timeOfWord(isSplit ? word + this.#peek(1) : word);
    if (time === undefined)
      throw this.#wrong('a time of day such as 10:00, 8 or 8:30pm', ['noon', 'midnight']);
    this.#next += isSplit ? 2 : 1;
    const isSeveral = this.#peek() === 'and' && timeOfWord(this.#peek(1)) !== undefined;
    if (isSeveral || (/:/.test(this.#peek()) && timeOfWord(this.#peek()) !== undefined)) {
      throw this.#wrong('one time of day; cron can say several: 0 8,20 * * *');
    }
    return time;
  }

  #zone(): string {
    const word = this.#words[this.#next]?.text;
    if (word === undefined || !/^[A-Za-z]/.test(word))
      throw this.#wrong('the name of a time zone such as Europe/Tallinn');
    this.#next++;
    return word;
  }

  #from(): void {
    const [date = '', time] = this.#moment();
    this.#say('from', date);
    if (time !== undefined) this.#say('time', time);
  }

  /** A day that is not said to end earlier counts as a whole. */
  #untilMoment(): string {
    const [date = '', time = '23:59:59'] = this.#moment();
    return `${date}T${time}`;
  }

  /** `2026-01-05`, `2026-01-05T10:00`, `5 January 2026`, each perhaps with a time of day after it. */
  #moment(): [date: string, time: string | undefined] {
    const iso = /^(\d{4}-\d\d-\d\d)(?:t(\d\d:\d\d(?::\d\d)?))?$/.exec(this.#peek());
    const [, isoDate, isoTime] = iso ?? [];
    const date = isoDate ?? this.#writtenDate();
    if (parseWallTime(`${date}T00:00`) === undefined) throw this.#wrong('a date of the calendar');
    if (isoDate !== undefined) this.#next++;
    if (isoTime !== undefined) return [date, timeOfWord(isoTime)];
    const time = /:/.test(this.#peek()) ? timeOfWord(this.#peek()) : undefined;
    if (time !== undefined) this.#next++;
    return [date, time];
  }

  #writtenDate(): string {
    const isMonthFirst = monthOfWord(this.#peek()) !== undefined;
    if (!isMonthFirst && monthOfWord(this.#peek(1)) === undefined) {
      throw this.#wrong('a date such as 2026-01-05 or 5 January 2026');
    }
    const early = isMonthFirst ? this.#month() : undefined;
    const day = this.#dayNumber();
    const month = early ?? this.#month();
    const year = this.#peek();
    if (!/^\d{4}$/.test(year)) throw this.#wrong('a year of four digits');
    this.#next++;
    return `${year}-${two(month)}-${two(day)}`;
  }

  /** After `missing`: `times shifted`, `times skipped`, `times at the jump`. */
  #missing(): MissingTime {
    this.#expect('times');
    if (this.#took('shifted')) return 'shifted';
    if (this.#took('skipped')) return 'skipped';
    if (!this.#took('at')) throw this.#wrong('shifted, skipped or at the jump', ['shifted', 'skipped']);
    this.#expect('the');
    this.#expect('jump');
    return 'at-jump';
  }

  /** After `repeated`: `times the first time`, `times the second time`, `times both times`. */
  #repeated(): RepeatedTime {
    this.#expect('times');
    if (this.#took('both')) {
      this.#took('times');
      return 'both';
    }
    this.#took('the');
    const choice = this.#took('first') ? 'first' : this.#took('second') ? 'second' : undefined;
    if (choice === undefined)
      throw this.#wrong('the first time, the second time or both times', ['first', 'second', 'both']);
    this.#took('time');
    return choice;
  }

  /** What the days come to, as fields of a recurrence. */
  #days(said: Said): Days {
    const { every = 1, weekdays = [], positions = [], within, easter } = said;
    const plain = { every, weekdays, positions, day: '' };
    if (easter !== undefined) {
      this.#onlyWith('easter', said, 'yearly', ['weekdays', 'positions', 'date']);
      return { ...plain, everyUnit: 'easterly', day: `easter${easter < 0 ? '-' : '+'}${Math.abs(easter)}` };
    }
    const [position = 0] = positions;
    const isOneDay = positions.length === 1 && position > 0 && weekdays.length === 0;
    const isOfMonth = isOneDay && typeof within === 'number';
    const date = isOfMonth ? `--${two(within)}-${two(position)}` : said.date;
    if (date !== undefined) {
      this.#onlyWith('date', said, 'yearly', isOfMonth ? ['weekdays'] : ['weekdays', 'positions']);
      return { ...plain, positions: [], everyUnit: 'yearly', day: date };
    }
    if (positions.length > 0) return this.#positioned(said, plain, isOneDay ? position : undefined);
    const everyUnit = said.unit ?? (weekdays.length > 0 ? 'weekly' : undefined);
    if (everyUnit === undefined) throw this.#wrong('how often as well, such as: every day');
    return { ...plain, everyUnit };
  }

  /** `the last Friday`, `the 1st and 15th`: of each month, of the year, or of one month of it. */
  #positioned(said: Said, plain: Omit<Days, 'everyUnit'>, day: number | undefined): Days {
    const { within } = said;
    const all = { ...plain, weekdays: plain.weekdays.length > 0 ? plain.weekdays : everyDay };
    const isYearly = within === undefined ? said.unit === 'yearly' : within !== 'month';
    this.#onlyWith('positions', said, isYearly ? 'yearly' : 'monthly');
    if (typeof within === 'number') {
      // A yearly rule about one month is one by the twelve months that begins in it.
      return { ...all, everyUnit: 'monthly', every: 12 * plain.every, day: `--${two(within)}-01` };
    }
    if (isYearly) return { ...all, everyUnit: 'yearly' };
    if (day === undefined || day > 31) return { ...all, everyUnit: 'monthly' };
    return { ...plain, positions: [], everyUnit: 'monthly', day: `---${two(day)}` };
  }

  /** Refuses units that do not go with what was said, and days that do not. */
  #onlyWith(
    what: keyof Said,
    { unit }: Said,
    allowed: EveryUnit,
    others: ReadonlyArray<keyof Said> = [],
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

  /** Notes what a clause says. @throws NotationError when another one has said it */
  #say<K extends keyof Said>(what: K, value: Said[K]): void {
    if (this.#said[what] !== undefined) throw this.#wrong(`${names[what]} once`, [], this.#clauseStart);
    if (this.#clauseStart !== undefined) this.#sources.set(what, this.#clauseStart);
    this.#said[what] = value;
  }

  #peek(ahead = 0): string {
    return this.#words[this.#next + ahead]?.text.toLowerCase() ?? '';
  }

  /** Goes on if one of these words is next. */
  #took(...words: readonly string[]): boolean {
    if (!words.includes(this.#peek())) return false;
    this.#next++;
    return true;
  }

  #expect(word: string): void {
    if (!this.#took(word)) throw this.#wrong(JSON.stringify(word), [word]);
  }

  /** An error about a word, the next one if no other is given. */
  #wrong(expected: string, known: readonly string[] = [], word = this.#words[this.#next]): NotationError {
    const piece = word ?? { text: '', at: this.#text.length };
    const found = word === undefined ? 'the end' : JSON.stringify(piece.text);
    const hint = suggestion(piece.text, known);
    return new NotationError('words', this.#text, piece, `expected ${expected}, got: ${found}`, hint);
  }
}

const names: Readonly<Record<keyof Said, string>> = {
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

/** The first day from a date on that the days allow. */
function startFrom(from: string, everyUnit: EveryUnit, day: string, time: string): string {
  // Of a month of the year, what comes before the date in it does not count anyway.
  const isInMonth = everyUnit === 'monthly' && from.slice(4, 7) === day.slice(1, 4);
  return isInMonth ? `${from}T${time}` : completeStart(`${day}T${time}`, `${from}T00:00`);
}
