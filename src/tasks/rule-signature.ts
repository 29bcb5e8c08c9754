// Who changes a rule, when and how: signed in the history of the rules.
//
// Triggers write the history (store/migrations/triggers.ts), so that nothing is left out; who changes a rule here
// signs what they wrote. What nobody has signed was changed in the database itself: see outside-changes.ts.

import type { Kysely } from 'kysely';
import type { Database, JobRuleRow } from '../store/schema.js';

/**
 * How a rule came to be changed. command: by a person, or by a program of the site. apply: by `linod rules apply`. undo: a
 * person took an earlier change back. database: in the database itself. sync: since its procedure changed, came or went.
 * failure: since a run failed, or the rule cannot be run.
 */
export const changeWays = ['command', 'apply', 'undo', 'database', 'sync', 'failure'] as const;

export type ChangeWay = (typeof changeWays)[number];

/** Who changes a rule, when and how. */
export interface Signature {
  readonly by: string;
  readonly how: ChangeWay;
  /** In ms since 1970. */
  readonly at: number;
}

/** Writes columns of a rule, and signs the change. */
export async function changeRule(
  tx: Kysely<Database>,
  id: number,
  columns: Partial<Omit<JobRuleRow, 'id'>>,
  signature: Signature,
): Promise<void> {
  // A change in the database that nobody has looked after yet stays what it is.
  const { revision } = await tx
    .selectFrom('job_rules')
    .select('revision')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  await tx.updateTable('job_rules').set(columns).where('id', '=', id).execute();
  await signChanges(tx, id, revision, signature);
}

/** Signs all changes of a rule since a revision. */
export async function signChanges(
  tx: Kysely<Database>,
  id: number,
  since: number,
  { by, how, at }: Signature,
): Promise<void> {
  await tx
    .updateTable('rule_changes')
    .set({ changed_by: by, how, changed_at: at })
    .where('rule_id', '=', id)
    .where('revision', '>', since)
    .where('how', 'is', null)
    .execute();
}
