// What a person may change on a job rule, and what that is in the database.

import { type GivenDurations, inUnitOf } from '../../base/duration.js';
import { suggestion as nearest, UsageError } from '../../base/errors.js';
import { parseLevel } from '../../base/log-levels.js';
import { fieldsOfText } from '../../recurrence/recurrence.js';
import type { Policies, PolicyName } from '../policies.js';
import type { JobRule } from '../rule.js';
import { columnValue, problemOf, type RuleColumns, recurrenceFields, ruleFields } from '../rule-fields.js';

/**
 * Fields that a person may change; null takes an override back, so that the suggestion counts again. No
 * weekdays or positions at all are `[]`, no `until` is an empty text, no `count` is 0.
 */
export interface RuleChanges extends PolicyChanges {
  /**
   * When it is due, as words, a cron expression or RRULE text: all fields of the recurrence in one. They
   * begin today unless the text names another day. Null takes the overrides of all these fields back.
   */
  readonly when?: string | null;
  readonly every?: number | null;
  readonly everyUnit?: string | null;
  readonly weekdays?: readonly string[] | null;
  readonly positions?: readonly number[] | null;
  /** Makes `everyUnit` `cron` as well, or takes both back. */
  readonly cron?: string | null;
  readonly startDatetime?: string | null;
  readonly timezone?: string | null;
  readonly until?: string | null;
  readonly count?: number | null;
  readonly missingTime?: string | null;
  readonly repeatedTime?: string | null;
  readonly name?: string;
  readonly logLevel?: string | null;
}

/** What a person may say of policies; it is checked. */
type PolicyChanges = {
  readonly [K in PolicyName]?: (Policies[K] extends string ? string : GivenDurations<Policies>[K]) | null;
};

/**
 * The changes as columns. Recurrence fields are checked by the recurrence itself, in the same transaction.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`), NotationError (`LINOD_ERR_NOTATION`), InvalidRecurrenceError
 */
export function changedColumns(changes: RuleChanges, rule: JobRule, now: Date): RuleColumns {
  const columns: RuleColumns = {};
  const fields = { ...ofWhen(changes, rule, now), ...ofCron(changes), ...changes };
  const names = Object.keys(fields) as Array<keyof RuleChanges>;
  if (names.length === 0) throw new UsageError('nothing to change');
  for (const name of names) Object.assign(columns, columnsOf(name, fields[name]));
  return columns;
}

function columnsOf(name: keyof RuleChanges, value: unknown): RuleColumns {
  // What it says is in the other fields.
  if (name === 'when') return {};
  if (name === 'name') return { name: checkedName(value) };
  const field = ruleFields.get(name);
  if (field === undefined) {
    const known = ['when', ...ruleFields.keys(), 'name'];
    throw new UsageError(
      `a job rule has no field ${JSON.stringify(name)}${nearest(name, known) || `; fields are ${known.join(', ')}`}`,
    );
  }
  const checked =
    name === 'logLevel' && value !== null ? parseLevel(String(value)).value : inUnitOf(name, value);
  const problem = checked === null ? null : problemOf(name, checked);
  if (problem !== null) throw new UsageError(problem);
  return { [field.column]: columnValue(name, checked) } as RuleColumns;
}

function checkedName(value: unknown): string {
  // One of digits only would be taken for the number of a rule wherever a rule is named.
  const isName = typeof value === 'string' && value.trim() !== '' && !/^\d+$/.test(value);
  if (isName && value.length <= 200) return value;
  throw new UsageError(
    `expected name to be a text of 1 to 200 characters, not digits only, got: ${JSON.stringify(value ?? '')}`,
  );
}

/** What a text says, as fields; all of them, since it stands for the whole recurrence. */
function ofWhen({ when, timezone }: RuleChanges, rule: JobRule, now: Date): RuleChanges {
  if (when === undefined) return {};
  if (when === null) return Object.fromEntries(recurrenceFields.map((name) => [name, null]));
  const fields = fieldsOfText(when, now, timezone ?? rule.timezone);
  return {
    every: fields.every ?? 1,
    everyUnit: fields.everyUnit,
    weekdays: fields.weekdays ?? [],
    positions: fields.positions ?? [],
    cron: fields.cron ?? null,
    startDatetime: fields.start,
    timezone: fields.timezone === rule.timezone ? rule.overrides.timezone : (fields.timezone ?? null),
    until: fields.until ?? '',
    count: fields.count ?? 0,
    missingTime: fields.missingTime ?? null,
    repeatedTime: fields.repeatedTime ?? null,
  };
}

function ofCron({ cron, when }: RuleChanges): RuleChanges {
  if (cron === undefined || when !== undefined) return {};
  return { everyUnit: cron === null ? null : 'cron' };
}
