// Which rule somebody means by a name or a number.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.js';

/** The number of the rule with this name, this procedure or this number, the first of these that fits; null for none. */
export async function ruleNamed(db: Kysely<Database>, text: string): Promise<number | null> {
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
 * The number of the first rule of a procedure that nobody has cancelled, for who wants it to look at once for what it would
 * find at its next time; null for none.
 */
export async function activeRuleOf(db: Kysely<Database>, procedure: string): Promise<number | null> {
  const row = await db
    .selectFrom('job_rules')
    .select('id')
    .where('procedure', '=', procedure)
    .where('cancelled_at', 'is', null)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? null;
}
