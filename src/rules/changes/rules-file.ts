// The rules of a site as a file: what persons have decided about them, to be kept with the site's other
// files, compared, and carried over to another site.

import * as v from 'valibot';
import { LinodError } from '../../base/errors.js';
import { schemaProblems } from '../../base/schema-problem.js';
import type { Suggestion } from '../procedure.js';
import type { JobRule } from '../rule.js';
import { ruleFields } from '../rule-fields.js';

/** Errors state what a value has to be. */
const text = v.pipe(v.string('a text'), v.nonEmpty('a text'));
const anObject = v.record(v.string(), v.unknown(), 'an object');
const fieldName = v.picklist([...ruleFields.keys()]);

/**
 * One rule in a file: all that persons have decided about it. `suggestion` and `effective` are there to be
 * read.
 */
const entrySchema = v.strictObject(
  {
    name: text,
    /** Optional when the name identifies the rule. */
    procedure: v.optional(text),
    /** The rule's number, where there are several of one name and procedure. */
    number: v.optional(v.pipe(v.number('the number of a rule'), v.safeInteger('the number of a rule'))),
    /** Whether a person has cancelled it. Left out: that stays as it is. */
    cancelled: v.optional(v.boolean('true or false')),
    /** What is overridden. For every other field the suggestion counts. */
    overrides: v.record(fieldName, v.unknown(), 'an object with fields of the rule'),
    suggestion: v.optional(anObject),
    effective: v.optional(anObject),
  },
  'an object',
);
const outerEntries = { version: v.literal(1, '1'), rules: v.array(v.unknown(), 'a list') };
const anObjectOfRules = 'an object such as {"version": 1, "rules": []}';
const fileSchema = v.strictObject({ ...outerEntries, rules: v.array(entrySchema) });

/** The rules in a file. */
export type RulesFile = v.InferOutput<typeof fileSchema>;
export type RuleEntry = RulesFile['rules'][number];

/** A rule as it is written into a file. */
export interface ExportedRule extends Omit<RuleEntry, 'suggestion' | 'effective'> {
  readonly suggestion: Suggestion;
  readonly effective: Suggestion;
}

/** A file of rules is invalid. Each problem names its location. */
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
 * Reads what somebody has parsed from JSON as a file of rules. The values of fields are checked when they are
 * applied.
 *
 * @param source what it is called in messages
 * @throws BadRulesFileError (`LINOD_ERR_BAD_RULES_FILE`) with all that is wrong
 */
export function parseRulesFile(value: unknown, source: string): RulesFile {
  const problems = schemaProblems(v.strictObject(outerEntries, anObjectOfRules), value).map(
    ({ problem }) => `the file: ${problem}`,
  );
  const { rules } = Object(value) as { readonly rules?: unknown };
  for (const [i, entry] of Array.isArray(rules) ? rules.entries() : []) {
    const name: unknown = Object(entry).name;
    const title = typeof name === 'string' && name !== '' ? ` (${name})` : '';
    for (const { problem } of schemaProblems(entrySchema, entry))
      problems.push(`rules[${i}]${title}: ${problem}`);
  }
  if (problems.length > 0) throw new BadRulesFileError(source, problems);
  return v.parse(fileSchema, value);
}
