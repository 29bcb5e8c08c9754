// RRULE text of iCalendar, as far as it means a recurrence set.
//
//     DTSTART;TZID=Europe/Tallinn:20240103T100000
//     RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR
//
// DTSTART may be missing, `RRULE:` too. What has no counterpart is refused, never left out. In two things the
// recurrence set decides, not the RFC: DTSTART is due only if it fits the rule (as in python-dateutil), and COUNT may
// stand beside UNTIL. Rules by the hour or shorter are elapsed time.
//
// Source: RFC 5545, sections 3.3.10 and 3.8.5.3; BYEASTER is python-dateutil's.

import { suggestion } from '../../errors.js';
import type { EveryUnit, Weekday } from '../fields.js';
import { completeStart } from '../open-start.js';
import { formatWallTime, parseWallTime } from '../wall-time.js';
import { Zone } from '../zone.js';
import { NotationError, type Piece, piecesOf, plainTiming, type Timing, two } from './notation.js';

const units: Readonly<Record<string, EveryUnit>> = {
  SECONDLY: 'secondly',
  MINUTELY: 'minutely',
  HOURLY: 'hourly',
  DAILY: 'daily',
  WEEKLY: 'weekly',
  MONTHLY: 'monthly',
  YEARLY: 'yearly',
};

const days: Readonly<Record<string, Weekday>> = {
  MO: 'monday',
  TU: 'tuesday',
  WE: 'wednesday',
  TH: 'thursday',
  FR: 'friday',
  SA: 'saturday',
  SU: 'sunday',
};
const everyDay: readonly Weekday[] = Object.values(days);

const partNames = [
  'FREQ',
  'INTERVAL',
  'COUNT',
  'UNTIL',
  'WKST',
  'BYDAY',
  'BYSETPOS',
  'BYMONTHDAY',
  'BYYEARDAY',
  'BYMONTH',
  'BYHOUR',
  'BYMINUTE',
  'BYSECOND',
  'BYEASTER',
  'BYWEEKNO',
] as const;
type PartName = (typeof partNames)[number];

/** The day of an open start, and the time of day: `---15` and `10:00:00`. */
interface Start {
  /** A date, or what an open start has in its place, as in open-start.ts. */
  readonly day: string;
  readonly time: string;
  /** Null: the rule's. */
  readonly timezone: string | null;
}

/**
 * Reads RRULE text.
 *
 * @throws NotationError (`LINOD_ERR_NOTATION`) naming the part that has no counterpart here
 */
export function parseRrule(text: string): Timing {
  return new RruleText(text).timing();
}

/** What `BYDAY`, `BYMONTHDAY` and their like come to. */
interface Days {
  readonly everyUnit: EveryUnit;
  /** What `INTERVAL` is multiplied with. */
  readonly factor: number;
  readonly weekdays: readonly Weekday[];
  readonly positions: readonly number[];
  /** What DTSTART's date has to be, if there is one, as an open start. */
  readonly day: string;
}

class RruleText {
  readonly #text: string;
  readonly #parts = new Map<PartName, Piece>();
  #start: Start | undefined;

  constructor(text: string) {
    // A shell passes `\n` as two characters.
    this.#text = text.replaceAll('\\n', '  ');
    for (const piece of piecesOf(this.#text)) this.#readProperty(piece);
    if (!this.#parts.has('FREQ')) {
      throw this.#wrong({ text: '', at: this.#text.length }, 'FREQ, such as RRULE:FREQ=DAILY');
    }
  }

  timing(): Timing {
    this.#refuse('BYWEEKNO', 'weeks of the year');
    const start = this.#start ?? { day: '', time: this.#openTime(), timezone: null };
    const { everyUnit, factor, weekdays, positions, day } = this.#days();
    this.#checkWeekStart(everyUnit, weekdays);
    if (this.#start !== undefined) this.#checkTime(this.#start.time);
    return {
      ...plainTiming,
      everyUnit,
      every: this.#number('INTERVAL', 1) * factor,
      weekdays,
      positions,
      start: `${this.#date(start, day, everyUnit)}T${start.time}`,
      timezone: start.timezone,
      until: this.#until(start),
      count: this.#parts.has('COUNT') ? this.#number('COUNT', 1) : null,
    };
  }

  /** `DTSTART…:…`, `RRULE:…` or the bare parts of one. */
  #readProperty(piece: Piece): void {
    const colon = piece.text.indexOf(':');
    const head = (colon < 0 ? '' : piece.text.slice(0, colon)).toUpperCase();
    const value = { text: piece.text.slice(colon + 1), at: piece.at + colon + 1 };
    const [name] = head.split(';');
    if (name === 'DTSTART' && this.#start === undefined) this.#start = this.#readStart(piece, colon, value);
    else if ((head === '' || head === 'RRULE') && this.#parts.size === 0) this.#readParts(value);
    else if (name === 'EXDATE' || name === 'RDATE' || name === 'EXRULE') {
      throw this.#wrong(piece, `one RRULE, since a rule here has no ${name}`);
    } else throw this.#wrong(piece, 'at most one DTSTART and one RRULE');
  }

  #readParts(piece: Piece): void {
    let at = piece.at;
    for (const text of piece.text.split(';')) {
      if (text !== '') this.#readPart({ text, at });
      at += text.length + 1;
    }
  }

  #readPart({ text, at }: Piece): void {
    const [, given = text, value = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
    const name = partNames.find((known) => known === given.toUpperCase());
    if (name === undefined) {
      const hint = suggestion(given, partNames);
      throw this.#wrong({ text: given, at }, `one of the parts ${partNames.join(', ')}`, hint);
    }
    if (this.#parts.has(name)) throw this.#wrong({ text, at }, `${name} once`);
    this.#parts.set(name, { text: value.toUpperCase(), at: at + given.length + 1 });
  }

  /** `DTSTART:20240103T100000Z`, `DTSTART;TZID=Europe/Tallinn:20240103T100000`, `DTSTART;VALUE=DATE:20240103` */
  #readStart(piece: Piece, colon: number, value: Piece): Start {
    const parameters = piece.text.slice(0, Math.max(0, colon)).split(';').slice(1);
    let timezone: string | null = null;
    for (const parameter of parameters) {
      const [, zone] = /^TZID=(.+)$/i.exec(parameter) ?? [];
      if (zone !== undefined) timezone = zone;
      else if (!/^VALUE=DATE(-TIME)?$/i.test(parameter)) {
        throw this.#wrong(piece, `TZID or VALUE as the parameters of DTSTART`);
      }
    }
    const time = this.#dateTime(value);
    if (time.isUtc && timezone !== null) throw this.#wrong(value, 'no Z where there is a TZID');
    const [day = '', timeOfDay = ''] = time.wall.split('T');
    return { day, time: timeOfDay, timezone: time.isUtc ? 'UTC' : timezone };
  }

  /** `20240103T100000`, `20240103T100000Z` or `20240103`. */
  #dateTime(piece: Piece): { wall: string; isUtc: boolean; isDate: boolean } {
    const match = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?$/i.exec(piece.text);
    const [, year, month, day, hour = '00', minute = '00', second = '00', utc = ''] = match ?? [];
    const wall = parseWallTime(`${year}-${month}-${day}T${hour}:${minute}:${second}`);
    if (wall === undefined) throw this.#wrong(piece, 'a date and time such as 20240103T100000');
    return { wall: formatWallTime(wall), isUtc: utc !== '', isDate: match?.[4] === undefined };
  }

  #days(): Days {
    const frequency = this.#piece('FREQ');
    const everyUnit = Object.hasOwn(units, frequency.text) ? units[frequency.text] : undefined;
    if (everyUnit === undefined) {
      const known = Object.keys(units);
      throw this.#wrong(
        frequency,
        `FREQ to be one of ${known.join(', ')}`,
        suggestion(frequency.text, known),
      );
    }
    const plain = { everyUnit, factor: 1, weekdays: [], positions: [], day: '' };
    if (this.#parts.has('BYEASTER')) return this.#easterDays(plain);
    if (this.#parts.has('BYYEARDAY')) return this.#yearDays(plain);
    if (this.#parts.has('BYMONTHDAY')) return this.#monthDays(plain);
    if (this.#parts.has('BYDAY')) return this.#weekdays(plain);
    this.#refuse('BYSETPOS', 'positions without BYDAY');
    if (this.#parts.has('BYMONTH')) return this.#monthOfYear(plain);
    return plain;
  }

  #easterDays(plain: Days): Days {
    this.#only('BYEASTER', plain, 'yearly');
    this.#refuse('BYDAY', 'weekdays beside BYEASTER');
    this.#refuse('BYMONTHDAY', 'days of the month beside BYEASTER');
    this.#refuse('BYMONTH', 'months beside BYEASTER');
    this.#refuse('BYSETPOS', 'positions beside BYEASTER');
    const [offset = 0] = this.#numbers('BYEASTER', -366, 366, 'one number of days from Easter', 1);
    return { ...plain, everyUnit: 'easterly', day: `easter${offset < 0 ? '-' : '+'}${Math.abs(offset)}` };
  }

  /** Days of the year are positions among all its days. */
  #yearDays(plain: Days): Days {
    this.#only('BYYEARDAY', plain, 'yearly');
    for (const name of ['BYDAY', 'BYMONTHDAY', 'BYMONTH', 'BYSETPOS'] as const) {
      this.#refuse(name, `${name} beside BYYEARDAY`);
    }
    const positions = this.#numbers('BYYEARDAY', 1, 366, 'days of the year');
    return { ...plain, weekdays: everyDay, positions };
  }

  /** A day of the month is that of the start; several, or those from the end, are positions among all its days. */
  #monthDays(plain: Days): Days {
    this.#refuse('BYDAY', 'weekdays beside BYMONTHDAY');
    this.#refuse('BYSETPOS', 'positions beside BYMONTHDAY');
    const numbers = this.#numbers('BYMONTHDAY', 1, 31, 'days of the month');
    const [first = 1] = numbers;
    const isOne = numbers.length === 1 && first > 0;
    if (plain.everyUnit === 'yearly' && this.#parts.has('BYMONTH') && isOne) {
      return { ...plain, day: `--${two(this.#month())}-${two(first)}` };
    }
    if (plain.everyUnit === 'yearly' && this.#parts.has('BYMONTH')) {
      const { factor, day } = this.#inOneMonth(plain);
      return { ...plain, everyUnit: 'monthly', factor, day, weekdays: everyDay, positions: numbers };
    }
    this.#only('BYMONTHDAY', plain, 'monthly');
    this.#refuse('BYMONTH', 'months of the year here');
    if (isOne) return { ...plain, day: `---${two(first)}` };
    return { ...plain, weekdays: everyDay, positions: numbers };
  }

  #weekdays(plain: Days): Days {
    const piece = this.#piece('BYDAY');
    const found = this.#list(piece).map((item) => {
      const [, position = '', name = ''] = /^([+-]?\d{1,2})?([A-Z]{2})$/.exec(item.text) ?? [];
      const weekday = Object.hasOwn(days, name) ? days[name] : undefined;
      if (weekday === undefined) throw this.#wrong(item, 'BYDAY to be days such as MO or -1FR');
      return { weekday, position: position === '' ? null : Number(position) };
    });
    const weekdays = [...new Set(found.map(({ weekday }) => weekday))];
    const ordinals = [...new Set(found.map(({ position }) => position))];
    const isMonthly = plain.everyUnit === 'monthly' || plain.everyUnit === 'yearly';
    const inMonth =
      plain.everyUnit === 'yearly' && this.#parts.has('BYMONTH')
        ? { ...plain, everyUnit: 'monthly' as const, ...this.#inOneMonth(plain) }
        : plain;
    if (inMonth === plain)
      this.#refuse('BYMONTH', `months of the year with FREQ=${this.#piece('FREQ').text}`);
    if (ordinals.every((position) => position === null)) {
      if (!isMonthly) this.#refuse('BYSETPOS', `positions with FREQ=${this.#piece('FREQ').text}`);
      const positions = this.#parts.has('BYSETPOS')
        ? this.#numbers('BYSETPOS', 1, 366, 'positions from 1 to 366 or -1 to -366')
        : [];
      return { ...inMonth, weekdays, positions };
    }
    if (!isMonthly) throw this.#wrong(piece, 'BYDAY without numbers, which only months and years have');
    this.#refuse('BYSETPOS', 'positions beside the numbers of BYDAY');
    const positions = ordinals.filter((position) => position !== null && position !== 0) as number[];
    if (weekdays.length > 1 || positions.length < ordinals.length) {
      throw this.#wrong(piece, 'BYDAY to be one weekday with numbers, such as 1FR,-1FR, or weekdays without');
    }
    return { ...inMonth, weekdays, positions };
  }

  /** `BYMONTH` without anything: the month of the start, and its day. */
  #monthOfYear(plain: Days): Days {
    this.#only('BYMONTH', plain, 'yearly');
    const day = this.#start?.day.slice('yyyy-mm-'.length);
    if (day === undefined) throw this.#wrong(this.#piece('BYMONTH'), 'BYMONTHDAY or DTSTART beside BYMONTH');
    return { ...plain, day: `--${two(this.#month())}-${day}` };
  }

  /** A yearly rule about one month is a rule by the twelve months that begins in it. */
  #inOneMonth(plain: Days): Pick<Days, 'factor' | 'day'> {
    return { factor: 12 * plain.factor, day: `--${two(this.#month())}-01` };
  }

  #month(): number {
    const [month = 1] = this.#numbers('BYMONTH', 1, 12, 'one month from 1 to 12', 1);
    if (month > 0) return month;
    throw this.#wrong(this.#piece('BYMONTH'), 'BYMONTH to be one month from 1 to 12');
  }

  /** The day that the rule begins on: that of DTSTART, or the first after it that the rule's days allow. */
  #date(start: Start, day: string, everyUnit: EveryUnit): string {
    if (start.day === '' || day === '') return start.day === '' ? day : start.day;
    // What comes before DTSTART in its month does not count anyway.
    const isInMonth = everyUnit === 'monthly' && start.day.slice(4, 7) === day.slice(1, 4);
    if (isInMonth) return start.day;
    const date = completeStart(`${day}T00:00`, `${start.day}T00:00`).slice(0, 'yyyy-mm-dd'.length);
    const period = everyUnit === 'monthly' && day.startsWith('---') ? 'yyyy-mm' : 'yyyy';
    const isCountedAlike = date.slice(0, period.length) === start.day.slice(0, period.length);
    if (isCountedAlike || this.#number('INTERVAL', 1) === 1) return date;
    throw this.#wrong(
      this.#piece('INTERVAL'),
      `INTERVAL to be 1 where the rule has no day left in the ${period === 'yyyy' ? 'year' : 'month'} of DTSTART`,
    );
  }

  #until(start: Start): string | null {
    const piece = this.#parts.get('UNTIL');
    if (piece === undefined) return null;
    const { wall, isUtc, isDate } = this.#dateTime(piece);
    if (isDate) return `${wall.slice(0, 'yyyy-mm-dd'.length)}T23:59:59`;
    if (!isUtc || start.timezone === 'UTC') return wall;
    const zone = start.timezone === null ? undefined : Zone.named(start.timezone);
    if (zone === undefined) {
      throw this.#wrong(piece, 'UNTIL without Z, or DTSTART with a TZID to reckon it in');
    }
    const instant = Date.parse(`${wall}Z`);
    return formatWallTime(instant + zone.offsetAt(instant));
  }

  /** Weeks begin on Monday here, which matters where only some of them count. */
  #checkWeekStart(everyUnit: EveryUnit, weekdays: readonly Weekday[]): void {
    const piece = this.#parts.get('WKST');
    if (piece === undefined || piece.text === 'MO') return;
    if (!Object.hasOwn(days, piece.text)) throw this.#wrong(piece, 'WKST to be a day such as MO');
    if (everyUnit === 'weekly' && weekdays.length > 0 && this.#number('INTERVAL', 1) > 1) {
      throw this.#wrong(piece, 'WKST to be MO: weeks begin on Monday here');
    }
  }

  /** A time of day besides DTSTART's would be a second one. */
  #checkTime(time: string): void {
    for (const [name, given] of this.#timeParts()) {
      const index = ['BYHOUR', 'BYMINUTE', 'BYSECOND'].indexOf(name);
      if (time.split(':')[index] === given) continue;
      throw this.#wrong(this.#piece(name), `${name} to be the time of DTSTART, ${time}`);
    }
  }

  #openTime(): string {
    const parts = new Map(this.#timeParts());
    return (['BYHOUR', 'BYMINUTE', 'BYSECOND'] as const).map((name) => parts.get(name) ?? '00').join(':');
  }

  #timeParts(): Array<[PartName, string]> {
    const limits = { BYHOUR: 23, BYMINUTE: 59, BYSECOND: 59 } as const;
    const isElapsed = /^(SECOND|MINUTE|HOUR)LY$/.test(this.#piece('FREQ').text);
    return (['BYHOUR', 'BYMINUTE', 'BYSECOND'] as const).flatMap((name): Array<[PartName, string]> => {
      const piece = this.#parts.get(name);
      if (piece === undefined) return [];
      if (isElapsed)
        throw this.#wrong(piece, `no ${name} with FREQ=${this.#piece('FREQ').text}; cron has such rules`);
      const value = /^\d{1,2}$/.test(piece.text) ? Number(piece.text) : Number.NaN;
      if (value <= limits[name]) return [[name, two(value)]];
      throw this.#wrong(
        piece,
        `${name} to be one number from 0 to ${limits[name]}; cron has rules with several`,
      );
    });
  }

  #number(name: 'INTERVAL' | 'COUNT', otherwise: number): number {
    const piece = this.#parts.get(name);
    if (piece === undefined) return otherwise;
    if (/^\d{1,9}$/.test(piece.text) && Number(piece.text) > 0) return Number(piece.text);
    throw this.#wrong(piece, `${name} to be a positive whole number`);
  }

  /** Numbers from `min` to `max`, or as far from the end. */
  #numbers(
    name: PartName,
    min: number,
    max: number,
    what: string,
    atMost = Number.POSITIVE_INFINITY,
  ): number[] {
    const piece = this.#piece(name);
    const numbers = this.#list(piece).map((item) => {
      const number = /^[+-]?\d{1,3}$/.test(item.text) ? Number(item.text) : Number.NaN;
      if (Math.abs(number) >= Math.max(0, min) && Math.abs(number) <= max) return number;
      throw this.#wrong(item, `${name} to be ${what}`);
    });
    if (numbers.length > atMost)
      throw this.#wrong(piece, `${name} to be ${what}; cron has rules with several`);
    return [...new Set(numbers)];
  }

  #list(piece: Piece): Piece[] {
    let at = piece.at;
    return piece.text.split(',').map((text) => {
      const item = { text, at };
      at += text.length + 1;
      return item;
    });
  }

  #piece(name: PartName): Piece {
    return this.#parts.get(name) ?? { text: '', at: this.#text.length };
  }

  #only(name: PartName, { everyUnit }: Days, unit: EveryUnit): void {
    if (everyUnit === unit) return;
    throw this.#wrong(this.#piece(name), `${name} only with FREQ=${unit.toUpperCase()}`);
  }

  #refuse(name: PartName, what: string): void {
    const piece = this.#parts.get(name);
    if (piece === undefined) return;
    throw this.#wrong(
      { text: `${name}=${piece.text}`, at: piece.at - name.length - 1 },
      `no ${name}: a rule here has no ${what}`,
    );
  }

  #wrong(piece: Piece, expected: string, hint = ''): NotationError {
    return new NotationError(
      'RRULE',
      this.#text,
      piece,
      `expected ${expected}, got: ${JSON.stringify(piece.text)}`,
      hint,
    );
  }
}
