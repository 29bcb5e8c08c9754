// What a look at the rules and requests leaves out.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.js';

/** What is not to be taken up now. */
export interface Blocked {
  /** Procedures that this worker does not have. */
  readonly procedures: readonly string[];
  /** Rules whose run has to end before. */
  readonly rules: readonly number[];
  /** Groups that are at their limit. */
  readonly groups: readonly string[];
}

export const nothing: Blocked = { procedures: [], rules: [], groups: [] };

/** Whether nothing is blocked, as mostly. */
export function isNothing({ procedures, rules, groups }: Blocked): boolean {
  return procedures.length + rules.length + groups.length === 0;
}

/** The rules that may be taken up. */
export function notBlocked(db: Kysely<Database>, { procedures, rules, groups }: Blocked) {
  return db
    .selectFrom('job_rules')
    .$if(procedures.length > 0, (query) => query.where('procedure', 'not in', procedures))
    .$if(rules.length > 0, (query) => query.where('id', 'not in', rules))
    .$if(groups.length > 0, (query) => query.where('due_group', 'not in', groups));
}
