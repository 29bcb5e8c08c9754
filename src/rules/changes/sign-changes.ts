// Signing changes of rules: triggers write down what was changed, and who changes a rule here says how and by
// whom.

import type { Kysely } from 'kysely';
import type { Database } from '../../store/schema.js';

/**
 * How a rule came to be changed. command: by a person, or by a program of the site. apply: by `linod rules
 * apply`. undo: a person took an earlier change back. database: in the database itself. sync: since its
 * procedure changed, came or went. failure: since a run failed, or the rule cannot be run.
 */
export type ChangeWay = 'command' | 'apply' | 'undo' | 'database' | 'sync' | 'failure';

/** Signs all changes of a rule since a revision that nobody has signed. @param at in ms since 1970 */
export async function signChanges(
  tx: Kysely<Database>,
  id: number,
  since: number,
  { by, how, at }: { readonly by: string; readonly how: ChangeWay; readonly at: number },
): Promise<void> {
  await tx
    .updateTable('rule_changes')
    .set({ changed_by: by, how, changed_at: at })
    .where('rule_id', '=', id)
    .where('revision', '>', since)
    .where('how', 'is', null)
    .execute();
}
