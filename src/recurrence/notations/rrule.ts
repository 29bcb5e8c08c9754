// RRULE text of iCalendar, as far as a recurrence set can express it.
//
//     DTSTART;TZID=Europe/Tallinn:20240103T100000
//     RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR
//
// DTSTART and `RRULE:` are optional. Parts without a counterpart are errors, never ignored. Two rules differ
// from the RFC: DTSTART is due only if it fits the rule (as in python-dateutil), and COUNT may be used with
// UNTIL. Rules by the hour or shorter are elapsed time.
//
// Source: RFC 5545, sections 3.3.10 and 3.8.5.3; BYEASTER is python-dateutil's.

import { suggestion } from '../../base/errors.js';
import { isElapsed } from '../elapsed.js';
import { type EveryUnit, knownZone } from '../fields.js';
import { completeStart } from '../open-start.js';
import { formatWallTime, parseWallTime } from '../time/wall-time.js';
import { NotationError, plainTiming, type Timing, type Token, tokensOf, two } from './notation.js';
import { weekdays as everyDay } from './vocabulary.js';

/** By `MO`, `TU` and so on. */
const dayNames = new Map(everyDay.map((day) => [day.slice(0, 2).toUpperCase(), day]));

const weekday = `(?:${[...dayNames.keys()].join('|')})`;
const numbers = /^[+-]?[1-9]\d{0,2}(,[+-]?[1-9]\d{0,2})*$/;
const one = 'cron has rules with several';

/** Each part with its allowed values, as text and as a pattern. */
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

/** The allowed combinations of parts about days. */
const combinations: Readonly<Record<string, readonly string[]>> = {
  YEARLY: [
    ...['BYDAY', 'BYDAY and BYMONTH', 'BYDAY and BYSETPOS', 'BYDAY and BYMONTH and BYSETPOS'],
    ...['BYEASTER', 'BYMONTH', 'BYMONTH and BYMONTHDAY', 'BYYEARDAY'],
  ],
  MONTHLY: ['BYDAY', 'BYDAY and BYSETPOS', 'BYMONTHDAY'],
};

/** The day of a start, a date or the day of an open start; and the time of day. */
interface Start {
  readonly day: string;
  readonly time: string;
  /** Null: the rule's own zone. */
  readonly timezone: string | null;
}

/** The result of the parts about days. `day` restricts DTSTART's date, in the form of an open start. */
interface Days extends Pick<Timing, 'everyUnit' | 'weekdays' | 'positions'> {
  /** The factor for `INTERVAL`. */
  readonly factor: number;
  readonly day: string;
}

/**
 * Parses RRULE text.
 *
 * @throws NotationError (`LINOD_ERR_NOTATION`) with the part that has no counterpart
 */
export function parseRrule(text: string): Timing {
  return new RruleParser(text).timing();
}

class RruleParser {
  readonly #text: string;
  readonly #parts = new Map<PartName, Token>();
  #start: Start | undefined;

  constructor(text: string) {
    // A shell passes `
    // ` as two characters.
    this.#text = text.replaceAll('\\n', '  ');
    for (const token of tokensOf(this.#text)) this.#readProperty(token);
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

  /** `DTSTART…:…`, `RRULE:…`, or the parts of a rule without `RRULE:`. */
  #readProperty(token: Token): void {
    const colon = token.text.indexOf(':');
    const [name = '', ...parameters] = token.text.slice(0, Math.max(0, colon)).split(';');
    const value = { text: token.text.slice(colon + 1), at: token.at + colon + 1 };
    if (/^DTSTART$/i.test(name) && this.#start === undefined)
      this.#start = this.#readStart(parameters, value);
    else if (/^(RRULE)?$/i.test(name) && this.#parts.size === 0) this.#readParts(value);
    else throw this.#wrong(token, 'at most one DTSTART and one RRULE, and nothing else');
  }

  #readParts(token: Token): void {
    let at = token.at;
    for (const text of token.text.split(';')) {
      if (text !== '') this.#readPart({ text, at });
      at += text.length + 1;
    }
  }

  #readPart({ text, at }: Token): void {
    const [, given = text, value = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
    const name = partNames.find((known) => known === given.toUpperCase());
    if (name === undefined) {
      const hint = suggestion(given, partNames);
      throw this.#wrong({ text: given, at }, `one of the parts ${partNames.join(', ')}`, hint);
    }
    if (this.#parts.has(name)) throw this.#wrong({ text, at }, `${name} once`);
    const token = { text: value.toUpperCase(), at: at + given.length + 1 };
    const [allowed, shape] = parts[name];
    if (!shape.test(token.text)) {
      const hint = name === 'FREQ' ? suggestion(token.text, allowed.split(/, | or /)) : '';
      throw this.#wrong(token, `${name} to be ${allowed}`, hint);
    }
    this.#parts.set(name, token);
  }

  /** `DTSTART:20240103T100000Z`, `DTSTART;TZID=Europe/Tallinn:20240103T100000`, `DTSTART;VALUE=DATE:20240103` */
  #readStart(parameters: readonly string[], value: Token): Start {
    const isKnown = (parameter: string) => /^(TZID=.+|VALUE=DATE(-TIME)?)$/i.test(parameter);
    if (!parameters.every(isKnown)) throw this.#wrong(value, 'TZID or VALUE as the parameters of DTSTART');
    const timezone = parameters.find((parameter) => /^TZID/i.test(parameter))?.slice('TZID='.length) ?? null;
    const { wall, isUtc } = this.#dateTime(value);
    if (isUtc && timezone !== null) throw this.#wrong(value, 'no Z where there is a TZID');
    const [day = '', time = ''] = wall.split('T');
    return { day, time, timezone: isUtc ? 'UTC' : timezone };
  }

  /** `20240103T100000`, `20240103T100000Z` or `20240103`. */
  #dateTime(token: Token): { wall: string; isUtc: boolean; isDate: boolean } {
    const match = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?$/i.exec(token.text);
    const [, year, month, day, hour = '00', minute = '00', second = '00', utc = ''] = match ?? [];
    const wall = parseWallTime(`${year}-${month}-${day}T${hour}:${minute}:${second}`);
    if (wall === undefined) throw this.#wrong(token, parts.UNTIL[0]);
    return { wall: formatWallTime(wall), isUtc: utc !== '', isDate: match?.[4] === undefined };
  }

  #days(): Days {
    const frequency = this.#token('FREQ').text;
    const given = dayParts.filter((name) => this.#parts.has(name));
    const allowed = combinations[frequency] ?? ['BYDAY'];
    const together = given.join(' and ');
    if (given.length > 0 && !allowed.includes(together)) {
      const name = given.find((part) => !allowed.join().includes(part)) ?? given.at(-1) ?? 'FREQ';
      throw this.#wrong(
        this.#token(name),
        `with FREQ=${frequency} nothing or ${allowed.join('; ')}, not ${together}`,
      );
    }
    const everyUnit = frequency.toLowerCase() as EveryUnit;
    const plain: Days = { everyUnit, factor: 1, weekdays: [], positions: [], day: '' };
    if (given.includes('BYEASTER')) {
      const offset = Number(this.#token('BYEASTER').text);
      return { ...plain, everyUnit: 'easterly', day: `easter${offset < 0 ? '-' : '+'}${Math.abs(offset)}` };
    }
    if (given.includes('BYYEARDAY'))
      return { ...plain, weekdays: everyDay, positions: this.#numbers('BYYEARDAY') };
    if (given.includes('BYMONTHDAY')) return this.#monthDays(plain);
    const inMonth = given.includes('BYMONTH') ? this.#inOneMonth(plain) : plain;
    if (given.includes('BYDAY')) return { ...inMonth, ...this.#weekdays(inMonth.everyUnit) };
    if (!given.includes('BYMONTH')) return plain;
    const day = this.#start?.day.slice('yyyy-mm-'.length);
    if (day === undefined) throw this.#wrong(this.#token('BYMONTH'), 'BYMONTHDAY or DTSTART beside BYMONTH');
    return { ...plain, day: `--${this.#month()}-${day}` };
  }

  /**
   * One day of the month becomes the day of the start. Several days, or days from the end, become positions
   * among all days.
   */
  #monthDays(plain: Days): Days {
    const found = this.#numbers('BYMONTHDAY');
    const [first = 1] = found;
    const isOne = found.length === 1 && first > 0;
    const isYearly = plain.everyUnit === 'yearly';
    if (isOne) return { ...plain, day: isYearly ? `--${this.#month()}-${two(first)}` : `---${two(first)}` };
    return { ...(isYearly ? this.#inOneMonth(plain) : plain), weekdays: everyDay, positions: found };
  }

  /** A yearly rule about one month becomes a rule by twelve months that begins in that month. */
  #inOneMonth(plain: Days): Days {
    return { ...plain, everyUnit: 'monthly', factor: 12, day: `--${this.#month()}-01` };
  }

  #weekdays(everyUnit: EveryUnit): Pick<Days, 'weekdays' | 'positions'> {
    const token = this.#token('BYDAY');
    const found = token.text.split(',').map((item) => ({
      weekday: dayNames.get(item.slice(-2)) ?? 'monday',
      position: item.length === 2 ? null : Number(item.slice(0, -2)),
    }));
    const weekdays = [...new Set(found.map(({ weekday }) => weekday))];
    const positions = found.flatMap(({ position }) => (position === null ? [] : [position]));
    if (positions.length === 0)
      return { weekdays, positions: this.#parts.has('BYSETPOS') ? this.#numbers('BYSETPOS') : [] };
    if (everyUnit !== 'monthly' && everyUnit !== 'yearly')
      throw this.#wrong(token, 'BYDAY without numbers, which only months and years have');
    if (
      weekdays.length > 1 ||
      positions.length < found.length ||
      positions.includes(0) ||
      this.#parts.has('BYSETPOS')
    )
      throw this.#wrong(token, 'BYDAY to be one weekday with numbers, such as 1FR,-1FR, or weekdays without');
    return { weekdays, positions: [...new Set(positions)] };
  }

  #month(): string {
    return two(Number(this.#token('BYMONTH').text));
  }

  /** The first day of the rule: that of DTSTART, or the first after it that fits the rule's days. */
  #date(start: Start, day: string, everyUnit: EveryUnit): string {
    if (start.day === '' || day === '') return start.day === '' ? day : start.day;
    // Times before DTSTART in its month do not count anyway.
    const isInMonth = everyUnit === 'monthly' && start.day.slice(4, 7) === day.slice(1, 4);
    if (isInMonth) return start.day;
    const date = completeStart(`${day}T00:00`, `${start.day}T00:00`).slice(0, 'yyyy-mm-dd'.length);
    const [period, length] = day.startsWith('---') ? ['month', 'yyyy-mm'.length] : ['year', 'yyyy'.length];
    if (date.slice(0, length) === start.day.slice(0, length) || this.#number('INTERVAL') === 1) return date;
    const expected = `INTERVAL to be 1 where the rule has no further day in the ${period} of DTSTART`;
    throw this.#wrong(this.#token('INTERVAL'), expected);
  }

  #until({ timezone }: Start): string | null {
    const token = this.#parts.get('UNTIL');
    if (token === undefined) return null;
    const { wall, isUtc, isDate } = this.#dateTime(token);
    if (isDate) return `${wall.slice(0, 'yyyy-mm-dd'.length)}T23:59:59`;
    if (!isUtc) return wall;
    if (timezone === null)
      throw this.#wrong(token, 'UNTIL without Z, or DTSTART with a TZID to convert it to');
    const instant = Date.parse(`${wall}Z`);
    return formatWallTime(instant + knownZone(timezone).offsetAt(instant));
  }

  /** Weeks begin on Monday here, which matters where only some weeks count. */
  #checkWeekStart(): void {
    const token = this.#parts.get('WKST');
    if (token !== undefined && token.text !== 'MO')
      throw this.#wrong(token, 'WKST to be MO: weeks begin on Monday here');
  }

  /** Elapsed time has no time of day, and DTSTART already has one. */
  #checkTimes(): void {
    const frequency = this.#token('FREQ').text;
    for (const [index, name] of timeParts.entries()) {
      const token = this.#parts.get(name);
      if (token === undefined) continue;
      if (isElapsed(frequency.toLowerCase()))
        throw this.#wrong(token, `no ${name} with FREQ=${frequency}; cron has such rules`);
      const time = this.#start?.time;
      if (time !== undefined && Number(time.split(':')[index]) !== Number(token.text))
        throw this.#wrong(token, `${name} to be the time of DTSTART, ${time}`);
    }
  }

  #openTime(): string {
    return timeParts.map((name) => two(Number(this.#parts.get(name)?.text ?? 0))).join(':');
  }

  #number(name: 'INTERVAL' | 'COUNT'): number {
    return Number(this.#parts.get(name)?.text ?? 1);
  }

  #numbers(name: PartName): number[] {
    return [...new Set(this.#token(name).text.split(',').map(Number))];
  }

  #token(name: PartName): Token {
    return this.#parts.get(name) ?? { text: '', at: this.#text.length };
  }

  #wrong(token: Token, expected: string, hint = ''): NotationError {
    const problem = `expected ${expected}, got: ${JSON.stringify(token.text)}`;
    return new NotationError('RRULE', this.#text, token, problem, hint);
  }
}
