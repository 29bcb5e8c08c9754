// What is wrong at present, as the last looks found it.

import type { BaseRequest } from '../../src/index.js';
import { siteDatabase } from '../store/open.js';

/** A problem as it is told outside of the database. */
export interface OpenProblem {
  readonly checker: string;
  /** What is wrong, `orders 17`. */
  readonly owner: string;
  readonly message: string;
  readonly fixable: boolean;
  /** When it was found first; ISO 8601, UTC. */
  readonly since: string;
}

/**
 * @param checkers only of these; null for all
 * @param limit how many are read at most
 * @returns those that are open, by checker and the oldest first, and how many there are in all
 */
export async function openProblems(
  ar: BaseRequest,
  checkers: readonly string[] | null,
  limit: number,
): Promise<{ problems: OpenProblem[]; total: number }> {
  const db = await siteDatabase(ar);
  const open = db
    .selectFrom('data_problems')
    .where('closed_at', 'is', null)
    .$if(checkers !== null, (query) => query.where('checker', 'in', checkers ?? []));
  const rows = await open.selectAll().orderBy('checker').orderBy('id').limit(limit).execute();
  const { total } = await open.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  const problems = rows.map(({ checker, owner, message, fixable, since }) => ({
    checker,
    owner,
    message,
    fixable: fixable === 1,
    since: new Date(since).toISOString(),
  }));
  return { problems, total };
}
