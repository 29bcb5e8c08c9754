// Due times that come to nothing since somebody or something changed the rule, as entries of the ledger.

import { LinodError } from '../errors.js';
import type { JobRuleRow } from '../store/schema.js';
import { passedBetween } from './decide.js';
import type { RuleEntry } from './ledger.js';
import type { JobRule } from './rule.js';

/**
 * What was due and had not begun when the rule was changed: it will not be run, since an edit never makes a rule run.
 *
 * @param row the rule as it was before
 * @param until what is due later may still be run
 * @param what as in `edited before it started`
 */
export function leftUndone(
  row: JobRuleRow,
  parse: (row: JobRuleRow) => JobRule,
  { until, what }: { readonly until: number; readonly what: string },
): RuleEntry[] {
  const { id: ruleId, next_due_at: dueAt } = row;
  if (dueAt === null || dueAt > until) return [];
  const passed = counted(dueAt, until, () => parse(row));
  return [{ ruleId, ...passed, reason: 'dropped', detail: `${what} before it started` }];
}

/** What was due while a rule was not active. @param rule as it is again */
export function missedSince(
  rule: JobRule,
  since: Date,
  { now, why }: { readonly now: number; readonly why: string },
): RuleEntry[] {
  const first = rule.policies.runAfter === '' ? rule.dueAfter(since) : null;
  if (first === null || first.getTime() > now) return [];
  const passed = passedBetween(rule, first.getTime(), now);
  return [{ ruleId: rule.id, ...passed, reason: 'skipped', detail: why }];
}

/** How many due times there were; of a rule that cannot be read it is known of one only. */
function counted(
  dueAt: number,
  now: number,
  read: () => JobRule,
): Pick<RuleEntry, 'dueAt' | 'dueUntil' | 'times'> {
  const one = { dueAt, dueUntil: null, times: 1 };
  try {
    const rule = read();
    return rule.policies.runAfter === '' ? passedBetween(rule, dueAt, now) : one;
  } catch (error) {
    if (error instanceof LinodError) return one;
    throw error;
  }
}
