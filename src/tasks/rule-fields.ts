// The fields of a rule that a person may override, and what each of them is in the database.

import { LogLevels } from '../log/levels.js';
import { isPolicyName, policies, policyNames, problemOf } from '../policies.js';
import type { Suggestion } from '../procedure.js';
import type { JobRuleRow } from '../store/schema.js';

export type RuleField = keyof Suggestion;

/** What a person overrode; null where the procedure's suggestion counts. */
export type Overrides = { readonly [K in RuleField]: Suggestion[K] | null };

export interface RuleFieldDefinition {
  /** In `job_rules`. Lists are JSON there. */
  readonly column: string;
  readonly kind: 'number' | 'text' | 'list';
}

const fields: { readonly [K in RuleField]: RuleFieldDefinition } = {
  every: { column: 'every', kind: 'number' },
  everyUnit: { column: 'every_unit', kind: 'text' },
  weekdays: { column: 'weekdays', kind: 'list' },
  positions: { column: 'positions', kind: 'list' },
  cron: { column: 'cron', kind: 'text' },
  startDatetime: { column: 'start_datetime', kind: 'text' },
  timezone: { column: 'timezone', kind: 'text' },
  until: { column: 'until', kind: 'text' },
  count: { column: 'count', kind: 'number' },
  missingTime: { column: 'missing_time', kind: 'text' },
  repeatedTime: { column: 'repeated_time', kind: 'text' },
  logLevel: { column: 'log_level', kind: 'text' },
  ...policies,
};

/** Each in the order in which people see it. */
export const ruleFields: ReadonlyMap<RuleField, RuleFieldDefinition> = new Map(
  [...(Object.keys(fields) as RuleField[]).filter((name) => !isPolicyName(name)), ...policyNames].map(
    (name) => [name, fields[name]],
  ),
);

export function isRuleField(name: string): name is RuleField {
  return Object.hasOwn(fields, name);
}

const fieldsByColumn = new Map([...ruleFields].map(([name, { column }]) => [column, name]));

/** The field that a column of `job_rules` holds; undefined for one that a person does not override. */
export function fieldOfColumn(column: string): RuleField | undefined {
  return fieldsByColumn.get(column);
}

/** A value of a field as its column has it. */
export function columnValue(field: RuleField, value: unknown): unknown {
  return value === null || fields[field].kind !== 'list' ? value : JSON.stringify(value);
}

/** A value of a column that is kept as text, as the history has it, as the column's own. */
export function columnFromText(column: string, text: string | null): string | number | null {
  const field = fieldOfColumn(column);
  const isNumber =
    field === undefined ? column.endsWith('_at') || column === 'seqno' : fields[field].kind === 'number';
  if (text === null || !isNumber) return text;
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}

/** What is wrong with a row, as a clause: a person may have written anything into the database. */
export type Complain = (problem: string) => void;

/** The overrides in a row. What cannot be read counts as none, so that the rule can be shown and cancelled. */
export function readOverrides(row: JobRuleRow, complain: Complain): Partial<Suggestion> {
  const columns = row as unknown as Readonly<Record<string, unknown>>;
  const read: Record<string, unknown> = {};
  for (const [name, { column, kind }] of ruleFields) {
    const value = columns[column] ?? null;
    const override = value === null ? null : readValue(column, kind, value, complain);
    if (override !== null) read[name] = override;
  }
  return read;
}

export const noOverrides = Object.freeze(
  Object.fromEntries(Array.from(ruleFields.keys(), (name) => [name, null])),
) as Overrides;

/** The fields that a person overrode. */
export function overriddenFields(overrides: Overrides): RuleField[] {
  return [...ruleFields.keys()].filter((name) => overrides[name] !== null);
}

function readValue(
  column: string,
  kind: RuleFieldDefinition['kind'],
  value: unknown,
  complain: Complain,
): unknown {
  if (kind === 'text') return String(value);
  if (kind === 'number') {
    if (typeof value === 'number') return value;
    complain(`expected ${column} to be a number, got: ${JSON.stringify(value)}`);
    return null;
  }
  const list = fromJson(value);
  if (Array.isArray(list)) return list;
  complain(`expected ${column} to be a list as JSON, such as ["monday"], got: ${JSON.stringify(value)}`);
  return null;
}

/** The value that a text of JSON stands for; undefined where it is none. */
export function fromJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text)) as unknown;
  } catch {
    return undefined;
  }
}

/** Tells of overrides that may not be, but for those of the recurrence, which checks them itself. */
export function complainOfOverrides(overrides: Partial<Suggestion>, complain: Complain): void {
  const { logLevel } = overrides;
  if (logLevel !== undefined && LogLevels.get(logLevel) === undefined) {
    const levels = Array.from(LogLevels, ({ value }) => value).join(', ');
    complain(`expected logLevel to be one of ${levels}, got: ${JSON.stringify(logLevel)}`);
  }
  for (const name of policyNames) {
    const problem = overrides[name] === undefined ? null : problemOf(name, overrides[name]);
    if (problem !== null) complain(problem);
  }
}
