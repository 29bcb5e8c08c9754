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
