// The fields of a recurrence, as people write them.

import { type Choice, ChoiceList } from '../base/choices.js';
import { LinodError, suggestion } from '../base/errors.js';
import { Zone } from './time/zone.js';

export const unitNames = [
  'secondly',
  'minutely',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'yearly',
  'easterly',
  'cron',
] as const;
export const weekdayNames = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;
export const missingTimes = ['shifted', 'skipped', 'at-jump'] as const;
export const repeatedTimes = ['first', 'second', 'both'] as const;

export type EveryUnit = (typeof unitNames)[number];

export type Weekday = (typeof weekdayNames)[number];

/** What to do with a wall time that the clocks skip. */
export type MissingTime = (typeof missingTimes)[number];

/** Which instant to take for a wall time that the clocks show twice. */
export type RepeatedTime = (typeof repeatedTimes)[number];

/**
 * When something is due.
 *
 * Days, weeks, months and years follow the calendar and keep the time of day of `start`. Seconds, minutes and
 * hours are elapsed time and ignore clock changes. `easterly` is once a year, at the distance of `start` from
 * Easter. `cron` follows the cron expression, in wall time.
 *
 * Source: the fields of the original's recurrence set; test/vectors/README.md explains how they combine.
 */
export interface RecurrenceFields {
  readonly everyUnit: EveryUnit;
  /** Every how many units, counted from the unit of `start`. Default 1. */
  readonly every?: number | undefined;
  /**
   * Only on these days. For months and years: all such days in the period. Not allowed where `everyUnit` is
   * `easterly` or `cron`.
   */
  readonly weekdays?: readonly Weekday[] | undefined;
  /** Only the first (1), second, … or last (-1), … of `weekdays` in each month or year. */
  readonly positions?: readonly number[] | undefined;
  /** Required where `everyUnit` is `cron`, and only there: `0 4 * * mon-fri`, as in cron.ts. */
  readonly cron?: string | null | undefined;
  /** The wall time before which nothing is due: `2024-01-03T10:00:00`; seconds are optional. */
  readonly start: string;
  /** The IANA name of the time zone. Default `UTC`. */
  readonly timezone?: string | undefined;
  /** The last wall time at which something may be due. */
  readonly until?: string | null | undefined;
  /** The total number of due times, from `start` on. */
  readonly count?: number | null | undefined;
  /**
   * For days and longer, a time that the clocks skip. `shifted` (default) uses the offset from before the
   * change: 02:30 becomes 03:30. `at-jump` uses the instant of the change. `skipped` is the default of a cron
   * expression whose minutes or hours begin with `*`.
   */
  readonly missingTime?: MissingTime | undefined;
  /**
   * For days and longer, a time that the clocks show twice: the `first` (default), the `second` or `both`.
   * `both` is the default of a cron expression whose minutes or hours begin with `*`.
   */
  readonly repeatedTime?: RepeatedTime | undefined;
}

/** A field of a recurrence is invalid. */
export class InvalidRecurrenceError extends LinodError {
  readonly field: string;
  readonly found: unknown;
  readonly #expected: string;
  readonly #hint: string;

  constructor(field: string, expected: string, found: unknown, hint = '') {
    super(
      'LINOD_ERR_INVALID_RECURRENCE',
      `expected ${field} to be ${expected}, got: ${JSON.stringify(found) ?? String(found)}${hint}`,
    );
    this.field = field;
    this.found = found;
    this.#expected = expected;
    this.#hint = hint;
  }

  /** The same error under the name that the user wrote. */
  as(field: string, found: unknown = this.found): InvalidRecurrenceError {
    return invalid(field, this.#expected, found, this.#hint);
  }
}

/** A function, since a class that names itself loses its name in the bundle. */
function invalid(...args: ConstructorParameters<typeof InvalidRecurrenceError>): InvalidRecurrenceError {
  return new InvalidRecurrenceError(...args);
}

/** The units, the shortest first; then `easterly` and `cron`. */
export const RecurrenceUnits: ChoiceList<Choice & { readonly value: EveryUnit }> = choices(unitNames);

/** The days of the week from Monday. */
export const Weekdays: ChoiceList<Choice & { readonly value: Weekday }> = choices(weekdayNames);

function choices<V extends string>(values: readonly V[]): ChoiceList<Choice & { readonly value: V }> {
  return new ChoiceList(values.map((value) => ({ value, name: value, text: value })));
}

/** The zone with a name. @throws InvalidRecurrenceError */
export function knownZone(found: unknown): Zone {
  const zone = typeof found === 'string' ? Zone.named(found) : undefined;
  if (zone !== undefined) return zone;
  const hint = typeof found === 'string' ? suggestion(found, Intl.supportedValuesOf('timeZone')) : '';
  throw new InvalidRecurrenceError(
    'timezone',
    'the IANA name of a time zone, such as Europe/Tallinn',
    found,
    hint,
  );
}
