// Rules that run after others: which one is meant, and that nobody waits for himself.

import type { Kysely } from 'kysely';
import { UsageError } from '../errors.js';
import type { Database } from '../store/schema.js';
import type { JobRule } from './rule.js';

/** The number of the rule that a rule runs after; null for none, or one that is not there. */
export async function followedBy(db: Kysely<Database>, { policies }: JobRule): Promise<number | null> {
  const { runAfter } = policies;
  return runAfter === '' ? null : await ruleNamed(db, runAfter);
}

/**
 * The number of the rule with this name, this procedure or this number, the first of these that fits; null for none. A rule
 * that was clear when somebody named it stays the one that is meant, though its procedure gets further rules.
 */
async function ruleNamed(db: Kysely<Database>, text: string): Promise<number | null> {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  const row = await db
    .selectFrom('job_rules')
    .select('id')
    .where((eb) => eb.or([eb('name', '=', text), eb('procedure', '=', text), eb('id', '=', number)]))
    .orderBy((eb) => eb.case().when('name', '=', text).then(0).else(1).end())
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? null;
}

/**
 * Whether a rule may run after the one that it names.
 *
 * @throws UsageError (`LINOD_ERR_USAGE`) when there is no such rule, or the rules would wait for one another for ever
 */
export async function checkFollows(db: Kysely<Database>, rule: JobRule): Promise<void> {
  const { runAfter } = rule.policies;
  if (runAfter === '') return;
  const first = await followedBy(db, rule);
  if (first === null) {
    throw new UsageError(
      `expected runAfter to be the name or the number of a rule, got: ${JSON.stringify(runAfter)}`,
    );
  }
  const seen = new Set([rule.id]);
  for (let id: number | null = first; id !== null; ) {
    if (seen.has(id)) {
      const chain = [...seen, id].map((number) => `#${number}`).join(' after ');
      throw new UsageError(`rules cannot run after one another in a circle: ${chain}`);
    }
    seen.add(id);
    const next: { follows_rule_id: number | null } | undefined = await db
      .selectFrom('job_rules')
      .select('follows_rule_id')
      .where('id', '=', id)
      .executeTakeFirst();
    id = next?.follows_rule_id ?? null;
  }
}
