// The fields of a recurrence as people write them, and as the rest of this folder trusts them.

import { type Choice, ChoiceList } from '../choices.js';
import { LinodError, suggestion } from '../errors.js';
import { type CronExpression, parseCron } from './cron.js';
import { isElapsed } from './elapsed.js';
import { formatWallTime, parseWallTime } from './wall-time.js';
import { Zone } from './zone.js';

const unitNames = [
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
const weekdayNames = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
const missingTimes = ['shifted', 'skipped', 'at-jump'] as const;
const repeatedTimes = ['first', 'second', 'both'] as const;

export type EveryUnit = (typeof unitNames)[number];

export type Weekday = (typeof weekdayNames)[number];

/** What to do with a wall time that the clocks skip. */
export type MissingTime = (typeof missingTimes)[number];

/** Which to take of a wall time that the clocks show twice. */
export type RepeatedTime = (typeof repeatedTimes)[number];

/**
 * When something is due.
 *
 * Days, weeks, months and years go by the calendar and keep the time of day of `start`; seconds, minutes and
 * hours are elapsed time and take no notice of clock changes. `easterly` is once a year, as many days before or
 * after Easter as `start` is; `cron` is when the cron expression says, on the clock of the wall.
 *
 * Source: the fields of the original's recurrence set; how they work together is told in test/vectors/README.md.
 */
export interface RecurrenceFields {
  readonly everyUnit: EveryUnit;
  /** Every how many units, counted from the one that `start` is in. Default 1. */
  readonly every?: number | undefined;
  /**
   * Only on these days. For months and years: all of them in the period, wherever `start` is. None where `everyUnit`
   * is `easterly` or `cron`.
   */
  readonly weekdays?: readonly Weekday[] | undefined;
  /** Only the first (1), second, … or last (-1), … of `weekdays` in each month or year. */
  readonly positions?: readonly number[] | undefined;
  /** Where `everyUnit` is `cron`, and only there: `0 4 * * mon-fri`, as in cron.ts. */
  readonly cron?: string | null | undefined;
  /** The wall time before which nothing is due: `2024-01-03T10:00:00`; the seconds may be left out. */
  readonly start: string;
  /** The IANA name of the zone whose clocks are meant. Default `UTC`. */
  readonly timezone?: string | undefined;
  /** The last wall time at which something may be due. */
  readonly until?: string | null | undefined;
  /** How many times it is due in all, from `start` on. */
  readonly count?: number | null | undefined;
  /**
   * For days and longer, a time that the clocks skip: `shifted` (default) takes it by the offset from before,
   * 02:30 becomes 03:30; `at-jump` takes the instant of the change; `skipped` leaves it out, and is the default of a
   * cron expression whose minutes or hours begin with `*`.
   */
  readonly missingTime?: MissingTime | undefined;
  /**
   * For days and longer, a time that the clocks show twice: the `first` (default), the `second` or `both`, which is the
   * default of a cron expression whose minutes or hours begin with `*`.
   */
  readonly repeatedTime?: RepeatedTime | undefined;
}

/** Fields that were checked and made ready for calculation; wall times as in wall-time.ts. */
export type CheckedFields = CheckedKind & CommonFields;

/** The cron expression goes with the unit `cron`, and with no other. */
type CheckedKind =
  | { readonly everyUnit: 'cron'; readonly cron: CronExpression }
  | { readonly everyUnit: Exclude<EveryUnit, 'cron'>; readonly cron: null };

interface CommonFields {
  readonly every: number;
  /** 0 for Monday to 6 for Sunday, each once, in order. */
  readonly weekdays: readonly number[];
  readonly positions: readonly number[];
  readonly timezone: string;
  readonly zone: Zone;
  readonly startWall: number;
  /** Infinity when there is no end. */
  readonly untilWall: number;
  readonly count: number | null;
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
}

/** A field of a recurrence that makes no sense. */
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

  /** The same of a field that has another name where a person wrote it. */
  as(field: string, found: unknown = this.found): InvalidRecurrenceError {
    return invalid(field, this.#expected, found, this.#hint);
  }
}

/** A class whose own body names it has another name in the bundle. */
function invalid(...args: ConstructorParameters<typeof InvalidRecurrenceError>): InvalidRecurrenceError {
  return new InvalidRecurrenceError(...args);
}

/** The units, the shortest first; then those that are none. */
export const RecurrenceUnits: ChoiceList<Choice & { readonly value: EveryUnit }> = choices(unitNames);

/** The days of the week from Monday. */
export const Weekdays: ChoiceList<Choice & { readonly value: Weekday }> = choices(weekdayNames);

const fieldNames =
  'everyUnit every weekdays positions cron start timezone until count missingTime repeatedTime'.split(' ');

/** All fields with their defaults, in one spelling. */
export type CompleteFields = {
  readonly [K in keyof RecurrenceFields]-?: Exclude<RecurrenceFields[K], undefined>;
};

/**
 * Fills in the defaults and checks everything.
 *
 * @throws InvalidRecurrenceError, and NotationError for a cron expression that is not understood
 */
export function checkFields(given: RecurrenceFields): CheckedFields {
  refuseMisspeltNames(given);
  const everyUnit = oneOf('everyUnit', given.everyUnit, unitNames);
  const weekdays = weekdaysOf(list('weekdays', given.weekdays), everyUnit);
  const kind = kindOf(everyUnit, given.cron ?? null);
  const usual = usualChoices(kind.cron);
  return {
    ...kind,
    every: everyOf(given.every ?? 1, everyUnit),
    weekdays: [...new Set(weekdays)].sort(),
    positions: positionsOf(list('positions', given.positions), everyUnit, weekdays.length > 0),
    timezone: given.timezone ?? 'UTC',
    zone: knownZone(given.timezone ?? 'UTC'),
    startWall: wallTime('start', given.start),
    untilWall: given.until == null ? Number.POSITIVE_INFINITY : wallTime('until', given.until),
    count: given.count == null ? null : countOf(given.count, everyUnit),
    missingTime: oneOf('missingTime', given.missingTime ?? usual.missingTime, missingTimes),
    repeatedTime: oneOf('repeatedTime', given.repeatedTime ?? usual.repeatedTime, repeatedTimes),
  };
}

/** What happens at clock changes unless somebody chooses: an interval goes by what the clocks show. */
export function usualChoices(cron: CronExpression | null): {
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
} {
  if (cron?.isInterval) return { missingTime: 'skipped', repeatedTime: 'both' };
  return { missingTime: 'shifted', repeatedTime: 'first' };
}

/** Checked fields as people write them, all of them and in one spelling. The result is frozen. */
export function completeFields(checked: CheckedFields): CompleteFields {
  return Object.freeze({
    everyUnit: checked.everyUnit,
    every: checked.every,
    weekdays: Object.freeze(weekdayNames.filter((_, i) => checked.weekdays.includes(i))),
    positions: Object.freeze([...checked.positions]),
    cron: checked.cron?.text ?? null,
    start: formatWallTime(checked.startWall),
    timezone: checked.timezone,
    until: Number.isFinite(checked.untilWall) ? formatWallTime(checked.untilWall) : null,
    count: checked.count,
    missingTime: checked.missingTime,
    repeatedTime: checked.repeatedTime,
  });
}

function choices<V extends string>(values: readonly V[]): ChoiceList<Choice & { readonly value: V }> {
  return new ChoiceList(values.map((value) => ({ value, name: value, text: value })));
}

const plain = (name: string) => name.toLowerCase().replaceAll('_', '').replace(/s$/, '');
const byPlainName = new Map(fieldNames.map((name) => [plain(name), name]));

/** Other fields are let through, so that a whole rule can be given; `time_zone` must not mean UTC, though. */
function refuseMisspeltNames(given: object): void {
  for (const name of Object.keys(given)) {
    const meant = byPlainName.get(plain(name));
    if (meant !== undefined && meant !== name) {
      throw new InvalidRecurrenceError(name, `written ${meant}`, name);
    }
  }
}

function oneOf<V extends string>(field: string, found: unknown, allowed: readonly V[]): V {
  const value = allowed.find((value) => value === found);
  if (value !== undefined) return value;
  const hint = typeof found === 'string' ? suggestion(found, allowed) : '';
  throw new InvalidRecurrenceError(field, `one of ${allowed.join(', ')}`, found, hint);
}

function list(field: string, found: unknown): readonly unknown[] {
  if (found == null) return [];
  if (Array.isArray(found)) return found;
  throw new InvalidRecurrenceError(field, 'a list', found);
}

function positive(field: string, found: unknown): number {
  if (typeof found === 'number' && Number.isSafeInteger(found) && found > 0) return found;
  throw new InvalidRecurrenceError(field, 'a positive whole number', found);
}

/** On the calendar the last of them is found by counting from the start. */
const mostCounted = 10_000;

function countOf(found: unknown, everyUnit: EveryUnit): number {
  const count = positive('count', found);
  if (isElapsed(everyUnit) || count <= mostCounted) return count;
  throw new InvalidRecurrenceError('count', `at most ${mostCounted} where everyUnit is ${everyUnit}`, found);
}

function everyOf(found: unknown, everyUnit: EveryUnit): number {
  if (everyUnit === 'cron' && found !== 1) {
    throw new InvalidRecurrenceError('every', '1 where everyUnit is cron', found);
  }
  return positive('every', found);
}

function weekdaysOf(found: readonly unknown[], everyUnit: EveryUnit): number[] {
  if (found.length > 0 && (everyUnit === 'easterly' || everyUnit === 'cron')) {
    throw new InvalidRecurrenceError('weekdays', `empty where everyUnit is ${everyUnit}`, found);
  }
  return found.map((weekday, i) => weekdayNames.indexOf(oneOf(`weekdays[${i}]`, weekday, weekdayNames)));
}

function kindOf(everyUnit: EveryUnit, cron: unknown): CheckedKind {
  if (everyUnit !== 'cron') {
    if (cron === null) return { everyUnit, cron };
    throw new InvalidRecurrenceError('cron', `empty where everyUnit is ${everyUnit}`, cron);
  }
  if (typeof cron === 'string') return { everyUnit, cron: parseCron(cron) };
  const expected = 'an expression such as "0 4 * * mon-fri" where everyUnit is cron';
  throw new InvalidRecurrenceError('cron', expected, cron);
}

function positionsOf(found: readonly unknown[], everyUnit: EveryUnit, hasWeekdays: boolean): number[] {
  if (found.length > 0 && everyUnit !== 'monthly' && everyUnit !== 'yearly') {
    throw new InvalidRecurrenceError('positions', `empty where everyUnit is ${everyUnit}`, found);
  }
  if (found.length > 0 && !hasWeekdays) {
    throw new InvalidRecurrenceError('positions', 'empty where there are no weekdays to count', found);
  }
  return [...new Set(found.map((position, i) => positionOf(`positions[${i}]`, position)))];
}

function positionOf(field: string, found: unknown): number {
  const isPosition = typeof found === 'number' && Number.isInteger(found) && found !== 0;
  if (isPosition && Math.abs(found) <= 366) return found;
  throw new InvalidRecurrenceError(field, 'a whole number from 1 to 366 or from -1 to -366', found);
}

/** The zone of a name. @throws InvalidRecurrenceError */
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

function wallTime(field: string, found: unknown): number {
  const wall = typeof found === 'string' ? parseWallTime(found) : undefined;
  if (wall !== undefined) return wall;
  throw new InvalidRecurrenceError(
    field,
    'a date of the calendar and a time of day without a zone, such as 2024-01-03T10:00:00',
    found,
  );
}
