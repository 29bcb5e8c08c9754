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
import { isElapsed } from '../elapsed.js';
import { type EveryUnit, knownZone } from '../fields.js';
import { completeStart } from '../open-start.js';
import { formatWallTime, parseWallTime } from '../wall-time.js';
import { NotationError, type Piece, piecesOf, plainTiming, type Timing, two } from './notation.js';
import { weekdays as everyDay } from './vocabulary.js';

/** By `MO`, `TU` and so on. */
const dayNames = new Map(everyDay.map((day) => [day.slice(0, 2).toUpperCase(), day]));

const weekday = `(?:${[...dayNames.keys()].join('|')})`;
const numbers = /^[+-]?[1-9]\d{0,2}(,[+-]?[1-9]\d{0,2})*$/;
const one = 'cron has rules with several';

/** Each part with the values that it may have, for people and for the program. */
const parts = {
  FREQ: [
    'SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY',
    /^(SECOND|MINUTE|HOUR|DAI|WEEK|MONTH|YEAR)LY$/,
  ],
  INTERVAL: ['a positive whole number', /^[1-9]\d{0,8}$/],
  COUNT: ['a positive whole number', /^[1-9]\d{0,8}$/],
  UNTIL: ['a date and time such as 20240103T100000', /^\d{8}(T\d{6}Z?)?$/],
  WKST: ['a day such as MO', new RegExp(`^${weekday}$`)],
  BYDAY: [
    'days such as MO or -1FR',
    new RegExp(`^([+-]?\\d{1,2})?${weekday}(,([+-]?\\d{1,2})?${weekday})*$`),
  ],
  BYSETPOS: ['positions from 1 to 366 or -1 to -366', numbers],
  BYMONTHDAY: ['days of the month', /^[+-]?([1-9]|[12]\d|3[01])(,[+-]?([1-9]|[12]\d|3[01]))*$/],
  BYYEARDAY: ['days of the year', numbers],
  BYMONTH: [`one month from 1 to 12; ${one}`, /^0?([1-9]|1[0-2])$/],
  BYHOUR: [`one number from 0 to 23; ${one}`, /^([01]?\d|2[0-3])$/],
  BYMINUTE: [`one number from 0 to 59; ${one}`, /^[0-5]?\d$/],
  BYSECOND: [`one number from 0 to 59; ${one}`, /^[0-5]?\d$/],
  BYEASTER: ['one number of days from Easter', /^[+-]?\d{1,3}$/],
} as const;
type PartName = keyof typeof parts;
const partNames = Object.keys(parts) as PartName[];
const dayParts = ['BYDAY', 'BYEASTER', 'BYMONTH', 'BYMONTHDAY', 'BYSETPOS', 'BYYEARDAY'] as const;
const timeParts = ['BYHOUR', 'BYMINUTE', 'BYSECOND'] as const;

/** What may stand together of the parts about days. */
const combinations: Readonly<Record<string, readonly string[]>> = {
  YEARLY: [
    ...['BYDAY', 'BYDAY and BYMONTH', 'BYDAY and BYSETPOS', 'BYDAY and BYMONTH and BYSETPOS'],
    ...['BYEASTER', 'BYMONTH', 'BYMONTH and BYMONTHDAY', 'BYYEARDAY'],
  ],
  MONTHLY: ['BYDAY', 'BYDAY and BYSETPOS', 'BYMONTHDAY'],
};

/** The day of a start, a date or what an open start has in its place; and the time of day. */
interface Start {
  readonly day: string;
  readonly time: string;
  /** Null: the rule's. */
  readonly timezone: string | null;
}

/** What the parts about days come to. `day` is what DTSTART's date has to be, as an open start. */
interface Days extends Pick<Timing, 'everyUnit' | 'weekdays' | 'positions'> {
  /** What `INTERVAL` is multiplied with. */
  readonly factor: number;
  readonly day: string;
}

/**
 * Reads RRULE text.
 *
 * @throws NotationError (`LINOD_ERR_NOTATION`) naming the part that has no counterpart here
 */
export function parseRrule(text: string): Timing {
  return new RruleText(text).timing();
}

class RruleText {
  readonly #text: string;
  readonly #parts = new Map<PartName, Piece>();
  #start: Start | undefined;

  constructor(text: string) {
    // A shell passes `\n` as two characters.
    this.#text = text.replaceAll('\\n', '  ');
    for (const piece of piecesOf(this.#text)) this.#readProperty(piece);
    if (!this.#parts.has('FREQ'))
      throw this.#wrong({ text: '', at: this.#text.length }, 'FREQ, such as RRULE:FREQ=DAILY');
  }

  timing(): Timing {
    const start = this.#start ?? { day: '', time: this.#openTime(), timezone: null };
    this.#checkTimes();
    const { everyUnit, factor, weekdays, positions, day } = this.#days();
    if (everyUnit === 'weekly' && weekdays.length > 0 && this.#number('INTERVAL') > 1) this.#checkWeekStart();
    return {
      ...{ ...plainTiming, everyUnit, weekdays, positions, timezone: start.timezone },
      every: this.#number('INTERVAL') * factor,
      start: `${this.#date(start, day, everyUnit)}T${start.time}`,
      until: this.#until(start),
      count: this.#parts.has('COUNT') ? this.#number('COUNT') : null,
    };
  }

  /** `DTSTART…:…`, `RRULE:…` or the bare parts of one. */
  #readProperty(piece: Piece): void {
    const colon = piece.text.indexOf(':');
    const [name = '', ...parameters] = piece.text.slice(0, Math.max(0, colon)).split(';');
    const value = { text: piece.text.slice(colon + 1), at: piece.at + colon + 1 };
    if (/^DTSTART$/i.test(name) && this.#start === undefined)
      this.#start = this.#readStart(parameters, value);
    else if (/^(RRULE)?$/i.test(name) && this.#parts.size === 0) this.#readParts(value);
    else throw this.#wrong(piece, 'at most one DTSTART and one RRULE, and nothing else');
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
    const piece = { text: value.toUpperCase(), at: at + given.length + 1 };
    const [allowed, shape] = parts[name];
    if (!shape.test(piece.text)) {
      const hint = name === 'FREQ' ? suggestion(piece.text, allowed.split(/, | or /)) : '';
      throw this.#wrong(piece, `${name} to be ${allowed}`, hint);
    }
    this.#parts.set(name, piece);
  }

  /** `DTSTART:20240103T100000Z`, `DTSTART;TZID=Europe/Tallinn:20240103T100000`, `DTSTART;VALUE=DATE:20240103` */
  #readStart(parameters: readonly string[], value: Piece): Start {
    const isKnown = (parameter: string) => /^(TZID=.+|VALUE=DATE(-TIME)?)$/i.test(parameter);
    if (!parameters.every(isKnown)) throw this.#wrong(value, 'TZID or VALUE as the parameters of DTSTART');
    const timezone = parameters.find((parameter) => /^TZID/i.test(parameter))?.slice('TZID='.length) ?? null;
    const { wall, isUtc } = this.#dateTime(value);
    if (isUtc && timezone !== null) throw this.#wrong(value, 'no Z where there is a TZID');
    const [day = '', time = ''] = wall.split('T');
    return { day, time, timezone: isUtc ? 'UTC' : timezone };
  }

  /** `20240103T100000`, `20240103T100000Z` or `20240103`. */
  #dateTime(piece: Piece): { wall: string; isUtc: boolean; isDate: boolean } {
    const match = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?$/i.exec(piece.text);
    const [, year, month, day, hour = '00', minute = '00', second = '00', utc = ''] = match ?? [];
    const wall = parseWallTime(`${year}-${month}-${day}T${hour}:${minute}:${second}`);
    if (wall === undefined) throw this.#wrong(piece, parts.UNTIL[0]);
    return { wall: formatWallTime(wall), isUtc: utc !== '', isDate: match?.[4] === undefined };
  }

  #days(): Days {
    const frequency = this.#piece('FREQ').text;
    const given = dayParts.filter((name) => this.#parts.has(name));
    const allowed = combinations[frequency] ?? ['BYDAY'];
    const together = given.join(' and ');
    if (given.length > 0 && !allowed.includes(together)) {
      const name = given.find((part) => !allowed.join().includes(part)) ?? given.at(-1) ?? 'FREQ';
      throw this.#wrong(
        this.#piece(name),
        `with FREQ=${frequency} nothing or ${allowed.join('; ')}, not ${together}`,
      );
    }
    const everyUnit = frequency.toLowerCase() as EveryUnit;
    const plain: Days = { everyUnit, factor: 1, weekdays: [], positions: [], day: '' };
    if (given.includes('BYEASTER')) {
      const offset = Number(this.#piece('BYEASTER').text);
      return { ...plain, everyUnit: 'easterly', day: `easter${offset < 0 ? '-' : '+'}${Math.abs(offset)}` };
    }
    if (given.includes('BYYEARDAY'))
      return { ...plain, weekdays: everyDay, positions: this.#numbers('BYYEARDAY') };
    if (given.includes('BYMONTHDAY')) return this.#monthDays(plain);
    const inMonth = given.includes('BYMONTH') ? this.#inOneMonth(plain) : plain;
    if (given.includes('BYDAY')) return { ...inMonth, ...this.#weekdays(inMonth.everyUnit) };
    if (!given.includes('BYMONTH')) return plain;
    const day = this.#start?.day.slice('yyyy-mm-'.length);
    if (day === undefined) throw this.#wrong(this.#piece('BYMONTH'), 'BYMONTHDAY or DTSTART beside BYMONTH');
    return { ...plain, day: `--${this.#month()}-${day}` };
  }

  /** A day of the month is that of the start; several, or those from the end, are positions among all its days. */
  #monthDays(plain: Days): Days {
    const found = this.#numbers('BYMONTHDAY');
    const [first = 1] = found;
    const isOne = found.length === 1 && first > 0;
    const isYearly = plain.everyUnit === 'yearly';
    if (isOne) return { ...plain, day: isYearly ? `--${this.#month()}-${two(first)}` : `---${two(first)}` };
    return { ...(isYearly ? this.#inOneMonth(plain) : plain), weekdays: everyDay, positions: found };
  }

  /** A yearly rule about one month is a rule by the twelve months that begins in it. */
  #inOneMonth(plain: Days): Days {
    return { ...plain, everyUnit: 'monthly', factor: 12, day: `--${this.#month()}-01` };
  }

  #weekdays(everyUnit: EveryUnit): Pick<Days, 'weekdays' | 'positions'> {
    const piece = this.#piece('BYDAY');
    const found = piece.text.split(',').map((item) => ({
      weekday: dayNames.get(item.slice(-2)) ?? 'monday',
      position: item.length === 2 ? null : Number(item.slice(0, -2)),
    }));
    const weekdays = [...new Set(found.map(({ weekday }) => weekday))];
    const positions = found.flatMap(({ position }) => (position === null ? [] : [position]));
    if (positions.length === 0)
      return { weekdays, positions: this.#parts.has('BYSETPOS') ? this.#numbers('BYSETPOS') : [] };
    if (everyUnit !== 'monthly' && everyUnit !== 'yearly')
      throw this.#wrong(piece, 'BYDAY without numbers, which only months and years have');
    if (
      weekdays.length > 1 ||
      positions.length < found.length ||
      positions.includes(0) ||
      this.#parts.has('BYSETPOS')
    )
      throw this.#wrong(piece, 'BYDAY to be one weekday with numbers, such as 1FR,-1FR, or weekdays without');
    return { weekdays, positions: [...new Set(positions)] };
  }

  #month(): string {
    return two(Number(this.#piece('BYMONTH').text));
  }

  /** The day that the rule begins on: that of DTSTART, or the first after it that the rule's days allow. */
  #date(start: Start, day: string, everyUnit: EveryUnit): string {
    if (start.day === '' || day === '') return start.day === '' ? day : start.day;
    // What comes before DTSTART in its month does not count anyway.
    const isInMonth = everyUnit === 'monthly' && start.day.slice(4, 7) === day.slice(1, 4);
    if (isInMonth) return start.day;
    const date = completeStart(`${day}T00:00`, `${start.day}T00:00`).slice(0, 'yyyy-mm-dd'.length);
    const [period, length] = day.startsWith('---') ? ['month', 'yyyy-mm'.length] : ['year', 'yyyy'.length];
    if (date.slice(0, length) === start.day.slice(0, length) || this.#number('INTERVAL') === 1) return date;
    const expected = `INTERVAL to be 1 where the rule has no day left in the ${period} of DTSTART`;
    throw this.#wrong(this.#piece('INTERVAL'), expected);
  }

  #until({ timezone }: Start): string | null {
    const piece = this.#parts.get('UNTIL');
    if (piece === undefined) return null;
    const { wall, isUtc, isDate } = this.#dateTime(piece);
    if (isDate) return `${wall.slice(0, 'yyyy-mm-dd'.length)}T23:59:59`;
    if (!isUtc) return wall;
    if (timezone === null)
      throw this.#wrong(piece, 'UNTIL without Z, or DTSTART with a TZID to reckon it in');
    const instant = Date.parse(`${wall}Z`);
    return formatWallTime(instant + knownZone(timezone).offsetAt(instant));
  }

  /** Weeks begin on Monday here, which matters where only some of them count. */
  #checkWeekStart(): void {
    const piece = this.#parts.get('WKST');
    if (piece !== undefined && piece.text !== 'MO')
      throw this.#wrong(piece, 'WKST to be MO: weeks begin on Monday here');
  }

  /** Elapsed time has no time of day; one besides DTSTART's would be a second one. */
  #checkTimes(): void {
    const frequency = this.#piece('FREQ').text;
    for (const [index, name] of timeParts.entries()) {
      const piece = this.#parts.get(name);
      if (piece === undefined) continue;
      if (isElapsed(frequency.toLowerCase()))
        throw this.#wrong(piece, `no ${name} with FREQ=${frequency}; cron has such rules`);
      const time = this.#start?.time;
      if (time !== undefined && Number(time.split(':')[index]) !== Number(piece.text))
        throw this.#wrong(piece, `${name} to be the time of DTSTART, ${time}`);
    }
  }

  #openTime(): string {
    return timeParts.map((name) => two(Number(this.#parts.get(name)?.text ?? 0))).join(':');
  }

  #number(name: 'INTERVAL' | 'COUNT'): number {
    return Number(this.#parts.get(name)?.text ?? 1);
  }

  #numbers(name: PartName): number[] {
    return [...new Set(this.#piece(name).text.split(',').map(Number))];
  }

  #piece(name: PartName): Piece {
    return this.#parts.get(name) ?? { text: '', at: this.#text.length };
  }

  #wrong(piece: Piece, expected: string, hint = ''): NotationError {
    const problem = `expected ${expected}, got: ${JSON.stringify(piece.text)}`;
    return new NotationError('RRULE', this.#text, piece, problem, hint);
  }
}
