// When something is due: again and again by the clock, or at the same time of day by the calendar of a zone.

import { CalendarRule } from './recurrence/calendar.js';
import { CronTimes } from './recurrence/cron-times.js';
import { EasterTimes } from './recurrence/easter-times.js';
import { ElapsedRule } from './recurrence/elapsed.js';
import {
  type CheckedFields,
  type CompleteFields,
  checkFields,
  completeFields,
  type RecurrenceFields,
} from './recurrence/fields.js';
import { PeriodTimes } from './recurrence/period-times.js';

export {
  type CompleteFields,
  type EveryUnit,
  InvalidRecurrenceError,
  type MissingTime,
  type RecurrenceFields,
  RecurrenceUnits,
  type RepeatedTime,
  type Weekday,
  Weekdays,
} from './recurrence/fields.js';

/** Anything that knows its next time: the two kinds of rules. Milliseconds since 1970 UTC. */
interface Rule {
  nextAfter(afterMs: number): number | null;
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
  readonly #rule: Rule;

  private constructor(checked: CheckedFields) {
    this.fields = completeFields(checked);
    this.#rule = ruleOf(checked);
  }

  /**
   * Makes a recurrence of its fields. Fields that no recurrence has are not looked at.
   *
   * @throws InvalidRecurrenceError (`LINOD_ERR_INVALID_RECURRENCE`) naming the field, what was found, what is allowed
   */
  static from(fields: RecurrenceFields): Recurrence {
    return new Recurrence(checkFields(fields));
  }

  /**
   * The first due time strictly later than `instant`, or null if there is none up to the year 9999; a rule by the
   * second, minute or hour on weekdays is given up after 400 years. As quick for an old rule as for a new one.
   *
   * @throws TypeError for an invalid date
   */
  nextAfter(instant: Date): Date | null {
    const afterMs = instant.getTime();
    if (Number.isNaN(afterMs)) throw new TypeError('expected instant to be a valid date, got: Invalid Date');
    const nextMs = this.#rule.nextAfter(afterMs);
    return nextMs === null ? null : new Date(nextMs);
  }

  /** The original's short form, for status lines: `every 1 daily`, `every 300 secondly`. */
  toString(): string {
    return `every ${this.fields.every} ${this.fields.everyUnit}`;
  }
}

function ruleOf(checked: CheckedFields): Rule {
  switch (checked.everyUnit) {
    case 'secondly':
    case 'minutely':
    case 'hourly':
      return new ElapsedRule(checked, checked.everyUnit);
    case 'easterly':
      return new CalendarRule(new EasterTimes(checked), checked);
    case 'cron':
      return new CalendarRule(new CronTimes(checked.cron, checked.startWall), checked);
    default:
      return new CalendarRule(new PeriodTimes(checked, checked.everyUnit), checked);
  }
}
