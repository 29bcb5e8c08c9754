// Checks the fields of a recurrence, and normalises checked ones.

import { suggestion } from '../base/errors.js';
import type { CheckedFields, CheckedKind } from './checked-fields.js';
import { isElapsed } from './elapsed.js';
import {
  type EveryUnit,
  InvalidRecurrenceError,
  knownZone,
  type MissingTime,
  missingTimes,
  type RecurrenceFields,
  type RepeatedTime,
  repeatedTimes,
  unitNames,
  weekdayNames,
} from './fields.js';
import { type CronExpression, parseCron } from './notations/cron.js';
import { formatWallTime, parseWallTime } from './time/wall-time.js';

const fieldNames =
  'everyUnit every weekdays positions cron start timezone until count missingTime repeatedTime'.split(' ');

/** All fields with their defaults, normalised. */
export type CompleteFields = {
  readonly [K in keyof RecurrenceFields]-?: Exclude<RecurrenceFields[K], undefined>;
};

/**
 * Fills in the defaults and checks all fields.
 *
 * @throws InvalidRecurrenceError, and NotationError for an invalid cron expression
 */
export function checkFields(given: RecurrenceFields): CheckedFields {
  refuseMisspeltNames(given);
  const everyUnit = oneOf('everyUnit', given.everyUnit, unitNames);
  const weekdays = weekdaysOf(list('weekdays', given.weekdays), everyUnit);
  const kind = kindOf(everyUnit, given.cron ?? null);
  const usual = defaultChoices(kind.cron);
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

/** The default choices at clock changes: an interval follows the clocks. */
export function defaultChoices(cron: CronExpression | null): {
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
} {
  if (cron?.isInterval) return { missingTime: 'skipped', repeatedTime: 'both' };
  return { missingTime: 'shifted', repeatedTime: 'first' };
}

/** Converts checked fields back to complete, normalised fields. The result is frozen. */
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

const plain = (name: string) => name.toLowerCase().replaceAll('_', '').replace(/s$/, '');
const byPlainName = new Map(fieldNames.map((name) => [plain(name), name]));

/**
 * Ignores unknown fields, so that a whole rule can be passed. But a misspelt name such as `time_zone` must
 * not mean UTC.
 */
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

/** Limited, since on the calendar the last one is found by counting from the start. */
const maxCount = 10_000;

function countOf(found: unknown, everyUnit: EveryUnit): number {
  const count = positive('count', found);
  if (isElapsed(everyUnit) || count <= maxCount) return count;
  throw new InvalidRecurrenceError('count', `at most ${maxCount} where everyUnit is ${everyUnit}`, found);
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

function wallTime(field: string, found: unknown): number {
  const wall = typeof found === 'string' ? parseWallTime(found) : undefined;
  if (wall !== undefined) return wall;
  throw new InvalidRecurrenceError(
    field,
    'a date of the calendar and a time of day without a zone, such as 2024-01-03T10:00:00',
    found,
  );
}
