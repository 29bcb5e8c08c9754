// The fields of a rule that a person may override: one table of them, for columns, checks, files, histories
// and commands.

import { LogLevels } from '../base/log-levels.js';
import type { JobRuleRow } from '../store/schema.js';
import { isPolicyName, policies, policyNames, problemOf as policyProblem } from './policies.js';
import type { Suggestion } from './procedure.js';

export type RuleField = keyof Suggestion;

/** What a person overrode; null where the procedure's suggestion counts. */
export type Overrides = { readonly [K in RuleField]: Suggestion[K] | null };

/** Some columns of a rule. */
export type RuleColumns = Partial<Omit<JobRuleRow, 'id'>>;

export interface RuleFieldDefinition {
  /** In `job_rules`. Lists are JSON there. */
  readonly column: string;
  readonly kind: 'number' | 'text' | 'list';
  /** What the word `none` stands for; missing where there is no such thing. */
  readonly none?: unknown;
}

const fields: { readonly [K in RuleField]: RuleFieldDefinition } = {
  every: { column: 'every', kind: 'number' },
  everyUnit: { column: 'every_unit', kind: 'text' },
  weekdays: { column: 'weekdays', kind: 'list', none: [] },
  positions: { column: 'positions', kind: 'list', none: [] },
  cron: { column: 'cron', kind: 'text' },
  startDatetime: { column: 'start_datetime', kind: 'text' },
  timezone: { column: 'timezone', kind: 'text' },
  until: { column: 'until', kind: 'text', none: '' },
  count: { column: 'count', kind: 'number', none: 0 },
  missingTime: { column: 'missing_time', kind: 'text' },
  repeatedTime: { column: 'repeated_time', kind: 'text' },
  logLevel: { column: 'log_level', kind: 'text' },
  ...policies,
};

/** Those that say when a rule is due. */
export const recurrenceFields = (Object.keys(fields) as RuleField[]).filter(
  (name) => !isPolicyName(name) && name !== 'logLevel',
);

/** Each in the order in which people see it. */
export const ruleFields: ReadonlyMap<RuleField, RuleFieldDefinition> = new Map(
  [...recurrenceFields, 'logLevel' as const, ...policyNames].map((name) => [name, fields[name]]),
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
  return text === null || !isNumber ? text : Number(text);
}

const kinds = {
  number: { name: 'a number', isOf: (value: unknown) => typeof value === 'number' },
  text: { name: 'a text', isOf: (value: unknown) => typeof value === 'string' },
  list: { name: 'a list such as ["monday"]', isOf: Array.isArray },
};

/**
 * What is wrong with an override, as a sentence without its subject; null when this
 * field alone is right. The recurrence checks its fields together.
 */
export function problemOf(field: RuleField, value: unknown): string | null {
  if (isPolicyName(field)) return policyProblem(field, value);
  const { name, isOf } = kinds[fields[field].kind];
  const got = JSON.stringify(value);
  if (!isOf(value)) return `expected ${field} to be ${name}, got: ${got}`;
  if (field !== 'logLevel' || LogLevels.get(String(value)) !== undefined) return null;
  return `expected logLevel to be one of ${Array.from(LogLevels, (level) => level.value).join(', ')}, got: ${got}`;
}

/**
 * The overrides in a row. What cannot be read counts as none, so that the rule can be shown and cancelled.
 *
 * @param problems gets what is wrong: a person may have written anything into the database
 */
export function readOverrides(row: JobRuleRow, problems: string[]): Partial<Suggestion> {
  const columns: Readonly<Record<string, unknown>> = row;
  const read: Record<string, unknown> = {};
  for (const [name, { column, kind }] of ruleFields) {
    const stored = columns[column] ?? null;
    if (stored === null) continue;
    const value = kind === 'list' ? (fromJson(stored) ?? stored) : stored;
    const problem = problemOf(name, value);
    if (problem !== null) problems.push(problem);
    if (kinds[kind].isOf(value)) read[name] = value;
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

/** The value that a text of JSON stands for; undefined where it is none. */
export function fromJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text)) as unknown;
  } catch {
    return undefined;
  }
}
