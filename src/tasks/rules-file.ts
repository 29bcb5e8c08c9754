// The rules of a site as a file: what persons have decided about them, to be kept with the site's other files, compared,
// and carried over to another site.

import { LinodError, suggestion as nearest } from '../errors.js';
import type { Suggestion } from '../procedure.js';
import type { JobRule } from './rule.js';
import { isRuleField, type RuleField, ruleFields } from './rule-fields.js';

/** The rules in a file. Only what is in `RuleEntry` counts; `suggestion` and `effective` are there to be read. */
export interface RulesFile {
  /** Of the format. */
  readonly version: 1;
  readonly rules: readonly RuleEntry[];
}

/** One rule in a file: all that persons have decided about it. */
export interface RuleEntry {
  readonly name: string;
  /** May be left out where the name says which rule is meant. */
  readonly procedure?: string;
  /** The rule's number, where there are several of one name and procedure. */
  readonly number?: number;
  /** Whether a person has cancelled it. Left out: that stays as it is. */
  readonly cancelled?: boolean;
  /** What is overridden. For every other field the suggestion counts. */
  readonly overrides: { readonly [K in RuleField]?: unknown };
}

/** A rule as it is written into a file. */
export interface ExportedRule extends RuleEntry {
  readonly suggestion: Suggestion;
  readonly effective: Suggestion;
}

/** What stands in a file of rules is not one, or cannot be. Each problem names its place. */
export class BadRulesFileError extends LinodError {
  readonly problems: readonly string[];

  constructor(source: string, problems: readonly string[]) {
    const [first = '', ...others] = problems;
    const all = others.length === 0 ? ` ${first}` : problems.map((problem) => `\n  ${problem}`).join('');
    super('LINOD_ERR_BAD_RULES_FILE', `${source}:${all}`);
    this.problems = problems;
  }
}

/** The rules as a file, by name, without what differs from one database to the next. */
export function exportRules(rules: readonly JobRule[]): { version: 1; rules: ExportedRule[] } {
  const sorted = [...rules].sort(
    (a, b) => compare(a.name, b.name) || compare(a.procedure, b.procedure) || a.id - b.id,
  );
  return { version: 1, rules: sorted.map((rule) => exportRule(rule, rules)) };
}

function exportRule(rule: JobRule, all: readonly JobRule[]): ExportedRule {
  const { name, procedure, suggestion } = rule;
  const alike = all.filter((other) => other.name === name && other.procedure === procedure);
  const values = [...ruleFields.keys()].map((field) => [field, rule.field(field)] as const);
  return {
    name,
    procedure,
    ...(alike.length > 1 ? { number: rule.id } : {}),
    cancelled: rule.cancelledBy === 'person',
    overrides: Object.fromEntries(
      values.flatMap(([field, { override }]) => (override === null ? [] : [[field, override]])),
    ),
    suggestion,
    effective: Object.fromEntries(
      values.map(([field, { effective }]) => [field, effective]),
    ) as unknown as Suggestion,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Reads what somebody has parsed from JSON as a file of rules. The values of fields are checked when they are applied.
 *
 * @param source what it is called in messages
 * @throws BadRulesFileError (`LINOD_ERR_BAD_RULES_FILE`) with all that is wrong
 */
export function parseRulesFile(value: unknown, source: string): RulesFile {
  const problems: string[] = [];
  const file = isObject(value) ? value : {};
  if (!isObject(value))
    problems.push(`expected an object such as {"version": 1, "rules": []}, got: ${told(value)}`);
  else {
    problems.push(...unknownKeys(file, ['version', 'rules'], 'the file'));
    if (file.version !== 1) problems.push(`expected version to be 1, got: ${told(file.version)}`);
    if (!Array.isArray(file.rules)) problems.push(`expected rules to be a list, got: ${told(file.rules)}`);
  }
  const entries: unknown[] = Array.isArray(file.rules) ? file.rules : [];
  const rules = entries.map((entry, i) => parseEntry(entry, i, problems));
  if (problems.length > 0) throw new BadRulesFileError(source, problems);
  return { version: 1, rules };
}

interface KeyDefinition {
  readonly isAllowed: (value: unknown) => boolean;
  readonly allowed: string;
  readonly isOptional?: boolean;
}

const isText = (value: unknown) => typeof value === 'string' && value !== '';

const keys: Readonly<Record<keyof ExportedRule, KeyDefinition>> = {
  name: { isAllowed: isText, allowed: 'a text' },
  procedure: { isAllowed: isText, allowed: 'the name of a procedure', isOptional: true },
  number: { isAllowed: Number.isSafeInteger, allowed: 'the number of a rule', isOptional: true },
  cancelled: {
    isAllowed: (value) => typeof value === 'boolean',
    allowed: 'true or false',
    isOptional: true,
  },
  overrides: { isAllowed: isObject, allowed: 'an object with fields of the rule' },
  suggestion: { isAllowed: isObject, allowed: 'an object', isOptional: true },
  effective: { isAllowed: isObject, allowed: 'an object', isOptional: true },
};

function parseEntry(value: unknown, i: number, problems: string[]): RuleEntry {
  const entry = isObject(value) ? value : {};
  const place = `rules[${i}]${isText(entry.name) ? ` (${String(entry.name)})` : ''}`;
  if (!isObject(value)) problems.push(`${place}: expected an object, got: ${told(value)}`);
  else {
    problems.push(...unknownKeys(entry, Object.keys(keys), place));
    for (const [key, { isAllowed, allowed, isOptional }] of Object.entries(keys)) {
      if ((entry[key] === undefined && isOptional === true) || isAllowed(entry[key])) continue;
      problems.push(`${place}: expected ${key} to be ${allowed}, got: ${told(entry[key])}`);
    }
  }
  const overrides = isObject(entry.overrides) ? entry.overrides : {};
  for (const field of Object.keys(overrides)) {
    if (isRuleField(field)) continue;
    const known = [...ruleFields.keys()];
    const hint = nearest(field, known) || `; fields are ${known.join(', ')}`;
    problems.push(`${place}: a job rule has no field ${JSON.stringify(field)} to override${hint}`);
  }
  return entry as unknown as RuleEntry;
}

function unknownKeys(object: Record<string, unknown>, known: readonly string[], place: string): string[] {
  return Object.keys(object)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const hint = nearest(key, known) || `; there are ${known.join(', ')}`;
      return `${place}: there is no key ${JSON.stringify(key)}${hint}`;
    });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function told(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
