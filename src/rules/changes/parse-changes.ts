// Reads changes that a person wrote: the words of `linod rule N set FIELD=VALUE …`, and the texts of the console's fields.

import { inUnitOf } from '../../base/duration.js';
import { UsageError } from '../../base/errors.js';
import { isRuleField, type RuleField, ruleFields } from '../rule-fields.js';
import type { RuleChanges } from './edit.js';

/**
 * Reads `every=2 weekdays=monday,friday until=` or `when every 2 weeks on mon, fri at 10:00`. An empty value removes
 * the override, so the suggestion counts again. `none` is the empty value of fields such as weekdays, until and group.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`)
 */
export function parseChanges(words: readonly string[]): RuleChanges {
  if (words.length === 0) {
    const examples = 'linod rule 3 set every=2 everyUnit=hourly, or: linod rule 3 set when every 2 hours';
    throw new UsageError(`expected what to set, as in: ${examples}`);
  }
  const [first, ...rest] = words;
  // These words need no quotes, because nothing can follow them.
  if (first === 'when') return { when: rest.join(' ').trim() || null };
  return changesOf(Object.fromEntries(words.map(parseWord)));
}

/** The same of the texts of fields, by their names. @throws UsageError (`LINOD_ERR_USAGE`) */
export function changesOf(texts: Readonly<Record<string, string>>): RuleChanges {
  return Object.fromEntries(
    Object.entries(texts).map(([field, untrimmed]) => {
      const text = untrimmed.trim();
      if (text === '') return [field, null];
      return [field, isRuleField(field) ? fieldValue(field, text) : text];
    }),
  );
}

function parseWord(word: string): [string, string] {
  const equals = word.indexOf('=');
  if (equals < 1) throw new UsageError(`expected FIELD=VALUE, got: ${JSON.stringify(word)}`);
  return [word.slice(0, equals), word.slice(equals + 1)];
}

function fieldValue(field: RuleField, text: string): unknown {
  const { kind, none } = ruleFields.get(field) ?? { kind: 'text' };
  if (text === 'none' && none !== undefined) return none;
  if (field === 'positions') return toList(text).map((item) => toNumber(field, item));
  if (kind === 'list') return toList(text);
  return kind === 'number' ? toNumber(field, text) : text;
}

function toList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function toNumber(field: string, text: string): number {
  const number = Number(inUnitOf(field, text));
  if (Number.isFinite(number)) return number;
  throw new UsageError(`expected ${field} to be a number, got: ${JSON.stringify(text)}`);
}
