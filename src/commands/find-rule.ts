// Which rule is meant on the command line: by its number, by its name, or by its procedure.

import { suggestion, UsageError } from '../errors.js';
import type { Rules } from '../tasks/rules.js';

/**
 * The number of a rule.
 *
 * @param word a number, the name of one rule, or the name of a procedure that has one rule
 * @throws UsageError (`LINOD_ERR_USAGE`) when it names none or several; whether there is a rule of a number is for others to
 *   find out
 */
export async function findRule(rules: Rules, word: string): Promise<number> {
  if (/^\d{1,15}$/.test(word) && Number(word) > 0) return Number(word);
  const list = await rules.list({ removed: true });
  for (const key of ['name', 'procedure'] as const) {
    const found = list.filter((rule) => rule[key] === word);
    const [first, second] = found;
    if (first !== undefined && second === undefined) return first.id;
    if (first === undefined) continue;
    const numbers = found.map(({ id, name }) => `${id} (${name})`).join(', ');
    throw new UsageError(`${JSON.stringify(word)} is the ${key} of several rules, name one: ${numbers}`);
  }
  const names = list.map(({ name }) => name);
  throw new UsageError(
    `expected the number or the name of a rule, got: ${JSON.stringify(word)}${suggestion(word, names) || '; linod rules lists them'}`,
  );
}
