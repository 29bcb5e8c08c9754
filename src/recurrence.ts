// When something is due: again and again by the clock, or at the same time of day by the calendar of a zone.

import { CalendarRule } from './recurrence/calendar.js';
import { type CompleteFields, checkFields, completeFields } from './recurrence/check-fields.js';
import { ElapsedRule, isElapsed } from './recurrence/elapsed.js';
import { InvalidRecurrenceError, knownZone, type RecurrenceFields } from './recurrence/fields.js';
import { parseWhen } from './recurrence/notations/when.js';
import type { Occurrences } from './recurrence/occurrences.js';
import { completeStart, isOpenStart } from './recurrence/open-start.js';
import { formatWallTime } from './recurrence/wall-time.js';

export type { CompleteFields } from './recurrence/check-fields.js';
export { afterRule, type DescribeOptions, describe } from './recurrence/describe.js';
export {
  type EveryUnit,
  InvalidRecurrenceError,
  type MissingTime,
  type RecurrenceFields,
  RecurrenceUnits,
  type RepeatedTime,
  type Weekday,
  Weekdays,
} from './recurrence/fields.js';
export { NotationError, type Timing } from './recurrence/notations/notation.js';
export { parseWhen } from './recurrence/notations/when.js';
export type { ClockNote } from './recurrence/occurrences.js';
export { completeStart, isOpenStart, readingStartDatetime } from './recurrence/open-start.js';

/** What a text leaves open when it is made a recurrence. */
export interface ParseOptions {
  /** From when on; a text that names no day begins on this one. */
  readonly from: Date;
  /** The zone of a text that names none. Default `UTC`. */
  readonly timezone?: string;
}

/**
 * A recurrence set: every so many units from a start, in a time zone, perhaps only on some weekdays.
 *
 * @example
 * const lastFriday = Recurrence.from({
 *   everyUnit: 'monthly', weekdays: ['friday'], positions: [-1], start: '2024-01-01T20:00:00', timezone: 'Europe/Tallinn',
 * });
 * lastFriday.nextAfter(new Date('2024-02-01T00:00:00Z')); // 2024-02-23T18:00:00.000Z
 *
 * Source: test/vectors/README.md, which tells the rules one by one.
 */
export class Recurrence {
  /** All fields, with the defaults filled in. */
  readonly fields: CompleteFields;
  /** Its times as numbers, for what is built upon recurrences. */
  readonly occurrences: Occurrences;

  private constructor(given: RecurrenceFields) {
    const checked = checkFields(given);
    const { everyUnit } = checked;
    this.fields = completeFields(checked);
    this.occurrences = isElapsed(everyUnit) ? new ElapsedRule(checked, everyUnit) : new CalendarRule(checked);
  }

  /**
   * Makes a recurrence of its fields. Fields that no recurrence has are not looked at.
   *
   * @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`) naming the field, what was found, what is allowed;
   *   NotationError (`LINOD_ERR_NOTATION`) for a cron expression that is not understood
   */
  static from(fields: RecurrenceFields): Recurrence {
    return new this(fields); // a class whose own body names it has another name in the bundle
  }

  /**
   * Makes a recurrence of words, of a cron expression or of RRULE text; see docs/recurrences.md.
   *
   * @example
   * Recurrence.parse('every 2 weeks on mon, fri at 10:00', { from: new Date(), timezone: 'Europe/Tallinn' });
   * @throws NotationError (`LINOD_ERR_NOTATION`) pointing at what is not understood, InvalidRecurrenceError
   *   (`LINOD_ERR_INVALID_RECURRENCE`)
   */
  static parse(text: string, { from, timezone = 'UTC' }: ParseOptions): Recurrence {
    return recurrenceOf(fieldsOfText(text, from, timezone));
  }

  /**
   * The first due time strictly later than `instant`, or null if there is none up to the year 9999, for cron 2999; a
   * rule by the second, minute or hour on weekdays is given up after 30 years. As quick for an old rule as for a new one.
   *
   * @throws TypeError for an invalid date
   */
  nextAfter(instant: Date): Date | null {
    const afterMs = instant.getTime();
    if (Number.isNaN(afterMs)) throw new TypeError('expected instant to be a valid date, got: Invalid Date');
    const next = this.occurrences.occurrenceAfter(afterMs);
    return next === null ? null : new Date(next.instant);
  }

  /** The original's short form, for status lines: `every 1 daily`, `every 300 secondly`; `cron 0 4 * * *`. */
  toString(): string {
    return shortForm(this.fields);
  }
}

/** The original's short form of a recurrence: `every 1 daily`; `cron 0 4 * * *` where that decides. */
export function shortForm({
  every,
  everyUnit,
  cron,
}: Pick<CompleteFields, 'every' | 'everyUnit' | 'cron'>): string {
  return everyUnit === 'cron' ? `cron ${cron}` : `every ${every} ${everyUnit}`;
}

/**
 * The fields that a text means, for one who begins at an instant.
 *
 * @throws as {@link Recurrence.parse}
 */
export function fieldsOfText(text: string, from: Date, timezone: string): RecurrenceFields {
  try {
    return readText(text, from, timezone);
  } catch (error) {
    // Whoever wrote `on 30 February` has never heard of a start.
    throw error instanceof InvalidRecurrenceError && error.field === 'start' ? error.as('when', text) : error;
  }
}

function readText(text: string, from: Date, timezone: string): RecurrenceFields {
  const { start, ...timing } = parseWhen(text);
  const zone = knownZone(timing.timezone ?? timezone);
  const since = formatWallTime(from.getTime() + zone.offsetAt(from.getTime()));
  const fields = {
    ...timing,
    timezone: timing.timezone ?? timezone,
    start: completeStart(start, since),
    missingTime: timing.missingTime ?? undefined,
    repeatedTime: timing.repeatedTime ?? undefined,
  };
  return isOpenStart(start) ? countedFrom(fields, from.getTime() - 1) : fields;
}

/**
 * The same recurrence, but that a `count` counts its times later than an instant only: it starts with the first of them.
 *
 * @param after in ms since 1970
 * @throws as {@link Recurrence.from}
 */
export function countedFrom<F extends RecurrenceFields>(fields: F, after: number): F {
  if ((fields.count ?? null) === null) return fields;
  const first = Recurrence.from({ ...fields, count: null }).occurrences.occurrenceAfter(after);
  return first === null ? fields : { ...fields, start: formatWallTime(first.wall) };
}

function recurrenceOf(fields: RecurrenceFields): Recurrence {
  return Recurrence.from(fields);
}
