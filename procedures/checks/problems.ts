// The table of problems: a pass keeps those that it finds again, and closes the others.

import type { BaseRequest } from '../../src/index.js';
import { deleteBefore } from '../shared/delete-old.js';
import { daysBefore, retention } from '../shared/retention.js';
import { type SiteDatabase, siteDatabase } from '../store/open.js';

/** A problem and its owner. */
export interface FoundProblem {
  /** What has the problem, `orders 17`. */
  readonly owner: string;
  readonly message: string;
  readonly fixable?: boolean | undefined;
}

/** The checker name for problems of an event source, which no real checker can have. */
export const sourceChecker = (source: string) => `event source ${source}`;

const batchSize = 500;

/**
 * Stores the problems of a pass. A known problem keeps its first date. Part of a transaction.
 *
 * @returns the new ones
 */
export async function keepProblems(
  tx: SiteDatabase,
  { checker, pass, now }: { readonly checker: string; readonly pass: number; readonly now: number },
  found: readonly FoundProblem[],
): Promise<FoundProblem[]> {
  const problems = [...new Map(found.map((problem) => [keyOf(problem), problem])).values()];
  const news: FoundProblem[] = [];
  for (let i = 0; i < problems.length; i += batchSize) {
    const some = problems.slice(i, i + batchSize);
    const known = await tx
      .selectFrom('data_problems')
      .select(['owner', 'message'])
      .where('checker', '=', checker)
      .where(
        'owner',
        'in',
        some.map(({ owner }) => owner),
      )
      .where('closed_at', 'is', null)
      .execute();
    const open = new Set(known.map(keyOf));
    const rows = some.map(({ owner, message, fixable = false }) => ({
      ...{ checker, owner, message, since: now },
      ...{ fixable: fixable ? 1 : 0, seen_pass: pass, closed_at: null },
    }));
    await tx
      .insertInto('data_problems')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['checker', 'owner', 'message']).doUpdateSet((eb) => ({
          fixable: eb.ref('excluded.fixable'),
          seen_pass: eb.ref('excluded.seen_pass'),
          since: eb
            .case()
            .when('data_problems.closed_at', 'is', null)
            .then(eb.ref('data_problems.since'))
            .else(eb.ref('excluded.since'))
            .end(),
          closed_at: null,
        })),
      )
      .execute();
    news.push(...some.filter((problem) => !open.has(keyOf(problem))));
  }
  return news;
}

/** Keeps the problems of rows that could not be checked open. Part of a transaction. */
export async function keepOpen(
  tx: SiteDatabase,
  checker: string,
  pass: number,
  owners: readonly string[],
): Promise<void> {
  if (owners.length === 0) return;
  await tx
    .updateTable('data_problems')
    .set({ seen_pass: pass })
    .where('checker', '=', checker)
    .where('owner', 'in', owners)
    .where('closed_at', 'is', null)
    .execute();
}

/** Closes problems that the pass did not find, also of deleted rows. @returns how many */
export async function closeRest(
  tx: SiteDatabase,
  { checker, pass, now }: { readonly checker: string; readonly pass: number; readonly now: number },
): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('data_problems')
    .set({ closed_at: now })
    .where('checker', '=', checker)
    .where('closed_at', 'is', null)
    .where('seen_pass', '!=', pass)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** Closes the problems of checkers, or of event sources, that are no longer registered. */
export async function closeProblemsOfOthers(
  ar: BaseRequest,
  kind: 'checkers' | 'event sources',
  names: readonly string[],
): Promise<void> {
  const db = await siteDatabase(ar);
  await db
    .updateTable('data_problems')
    .set({ closed_at: ar.now().getTime() })
    .where('closed_at', 'is', null)
    .where('checker', kind === 'checkers' ? 'not like' : 'like', sourceChecker('%'))
    .where('checker', 'not in', kind === 'checkers' ? names : names.map(sourceChecker))
    .execute();
}

/** Deletes problems that were closed long ago. */
export async function clearClosedProblems(ar: BaseRequest): Promise<void> {
  const closedBefore = daysBefore(ar.now(), retention().closedProblemDays);
  await deleteBefore(ar, 'data_problems', 'closed_at', closedBefore);
}

/** A problem, as commands and programs show it. */
export interface OpenProblem {
  readonly checker: string;
  readonly owner: string;
  readonly message: string;
  readonly fixable: boolean;
  /** When it was first found; ISO 8601, UTC. */
  readonly since: string;
}

/**
 * @param checkers only of these; null for all
 * @param limit the maximum number of problems
 * @returns the open ones, by checker and the oldest first, and their total number
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
    ...{ checker, owner, message, fixable: fixable === 1, since: new Date(since).toISOString() },
  }));
  return { problems, total };
}

function keyOf({ owner, message }: { readonly owner: string; readonly message: string }): string {
  return JSON.stringify([owner, message]);
}
