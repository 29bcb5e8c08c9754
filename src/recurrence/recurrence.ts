// When something is due: at an interval of elapsed time, or by the calendar of a zone.

import { CalendarRule } from './calendar.js';
import { type CompleteFields, checkFields, completeFields } from './check-fields.js';
import { ElapsedRule, isElapsed } from './elapsed.js';
import { InvalidRecurrenceError, knownZone, type RecurrenceFields } from './fields.js';
import { parseWhen } from './notations/when.js';
import type { Occurrences } from './occurrences.js';
import { completeStart, isOpenStart } from './open-start.js';
import { formatWallTime } from './time/wall-time.js';

export type { CompleteFields } from './check-fields.js';
export {
  type EveryUnit,
  InvalidRecurrenceError,
  type MissingTime,
  type RecurrenceFields,
  RecurrenceUnits,
  type RepeatedTime,
  type Weekday,
  Weekdays,
} from './fields.js';
export { afterRule, type DescribeOptions, describe } from './notations/describe.js';
export { NotationError, type Timing } from './notations/notation.js';
export { parseWhen } from './notations/when.js';
export type { ClockNote } from './occurrences.js';
export { completeStart, isOpenStart, readingStartDatetime } from './open-start.js';

/** Options for a text that does not fix everything. */
export interface ParseOptions {
  /** The earliest start; a text without a day begins on this one. */
  readonly from: Date;
  /** The zone for a text without one. Default `UTC`. */
  readonly timezone?: string;
}

/**
 * A recurrence set: every so many units from a start, in a time zone, perhaps only on some weekdays.
 *
 * @example
 * const lastFriday = Recurrence.from({
 *   everyUnit: 'monthly', weekdays: ['friday'], positions: [-1],
 *   start: '2024-01-01T20:00:00', timezone: 'Europe/Tallinn',
 * });
 * lastFriday.nextAfter(new Date('2024-02-01T00:00:00Z')); // 2024-02-23T18:00:00.000Z
 *
 * Source: test/vectors/README.md, which lists the rules.
 */
export class Recurrence {
  /** All fields, with the defaults filled in. */
  readonly fields: CompleteFields;
  /** Its times as numbers, for calculations. */
  readonly occurrences: Occurrences;

  private constructor(given: RecurrenceFields) {
    const checked = checkFields(given);
    const { everyUnit } = checked;
    this.fields = completeFields(checked);
    this.occurrences = isElapsed(everyUnit) ? new ElapsedRule(checked, everyUnit) : new CalendarRule(checked);
  }

  /**
   * Makes a recurrence from its fields. Ignores unknown fields.
   *
   * @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`) with the field, the value and what is
   *   allowed; NotationError (`LINOD_ERR_NOTATION`) for an invalid cron expression
   */
  static from(fields: RecurrenceFields): Recurrence {
    return new this(fields); // `this` keeps the class name in the bundle
  }

  /**
   * Parses words, a cron expression or RRULE text; see docs/reference/recurrences.md.
   *
   * @example
   * Recurrence.parse('every 2 weeks on mon, fri at 10:00', { from: new Date(), timezone: 'Europe/Tallinn' });
   * @throws NotationError (`LINOD_ERR_NOTATION`) pointing at the invalid part, InvalidRecurrenceError
   *   (`LINOD_ERR_INVALID_RECURRENCE`)
   */
  static parse(text: string, { from, timezone = 'UTC' }: ParseOptions): Recurrence {
    return recurrenceOf(fieldsOfText(text, from, timezone));
  }

  /**
   * The first due time strictly later than `instant`. Null if there is none up to the year 9999, for cron
   * 2999. For seconds, minutes or hours on weekdays, the search ends after 30 years. Equally fast for any age
   * of the rule.
   *
   * @throws TypeError for an invalid date
   */
  nextAfter(instant: Date): Date | null {
    const afterMs = instant.getTime();
    if (Number.isNaN(afterMs)) throw new TypeError('expected instant to be a valid date, got: Invalid Date');
    const next = this.occurrences.occurrenceAfter(afterMs);
    return next === null ? null : new Date(next.instant);
  }

  /** The original's short form for status lines: `every 1 daily`, `every 300 secondly`; `cron 0 4 * * *`. */
  toString(): string {
    return shortForm(this.fields);
  }
}

/** The original's short form of a recurrence: `every 1 daily`; for cron, `cron 0 4 * * *`. */
export function shortForm({
  every,
  everyUnit,
  cron,
}: Pick<CompleteFields, 'every' | 'everyUnit' | 'cron'>): string {
  return everyUnit === 'cron' ? `cron ${cron}` : `every ${every} ${everyUnit}`;
}

/**
 * Parses a text into fields, for a recurrence that begins at an instant.
 *
 * @throws as {@link Recurrence.parse}
 */
export function fieldsOfText(text: string, from: Date, timezone: string): RecurrenceFields {
  try {
    return readText(text, from, timezone);
  } catch (error) {
    // Names the text in the error: the author of `on 30 February` has not written a start.
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
 * The same recurrence, but its `count` counts only times later than an instant. It starts with the first of
 * these.
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
