// A rule in words.

import { LinodError } from '../base/errors.js';
import { afterRule, describe } from '../recurrence/recurrence.js';
import type { JobRule } from './rule.js';

/** When a rule is due, in words; or why that is unknown. */
export function inWords(rule: JobRule, brief = false): string {
  const { runAfter } = rule.policies;
  if (runAfter !== '') return afterRule(runAfter);
  return readable(
    () => describe(rule.recurrence, { brief }),
    (error) => `never: ${error.message}`,
  );
}

/** Shows a rule even when its fields contradict each other. */
export function readable<T>(read: () => T, otherwise: (error: LinodError) => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof LinodError) return otherwise(error);
    throw error;
  }
}
