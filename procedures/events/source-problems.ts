// What is wrong with event sources stands among the problems in the data, where `linod checkdata --list` shows it.

import type { SiteDatabase } from '../store/open.js';

/** A source has its problems under a name of its own, which no checker can have. */
export const sourceChecker = (source: string) => `event source ${source}`;

/** The owner of a problem that is not about one event. */
export const wholeSource = 'the source';

export interface SourceProblem {
  /** `event m1`, or `the source`. */
  readonly owner: string;
  readonly message: string;
}

/** So many are kept of one source; the first tell what is wrong. */
const maxKept = 100;

/**
 * Makes the open problems of a source those that were found; one that stays keeps its time. A part of a transaction.
 *
 * @returns those that are news
 */
export async function keepSourceProblems(
  tx: SiteDatabase,
  source: string,
  found: readonly SourceProblem[],
  now: number,
): Promise<SourceProblem[]> {
  const checker = sourceChecker(source);
  const open = await tx
    .selectFrom('data_problems')
    .select(['id', 'owner', 'message'])
    .where('checker', '=', checker)
    .where('closed_at', 'is', null)
    .execute();
  const wanted = new Map(found.slice(0, maxKept).map((problem) => [keyOf(problem), problem]));
  const gone = open.filter((row) => !wanted.has(keyOf(row))).map((row) => row.id);
  if (gone.length > 0) {
    await tx.updateTable('data_problems').set({ closed_at: now }).where('id', 'in', gone).execute();
  }
  for (const row of open) wanted.delete(keyOf(row));
  const news = [...wanted.values()];
  for (const { owner, message } of news) {
    await tx
      .insertInto('data_problems')
      .values({ checker, owner, message, fixable: 0, since: now, seen_pass: 0, closed_at: null })
      .onConflict((conflict) =>
        conflict.columns(['checker', 'owner', 'message']).doUpdateSet({ since: now, closed_at: null }),
      )
      .execute();
  }
  return news;
}

/** Closes the problems of sources that exist no more. */
export async function closeProblemsOfOthers(
  db: SiteDatabase,
  sources: readonly string[],
  now: number,
): Promise<void> {
  await db
    .updateTable('data_problems')
    .set({ closed_at: now })
    .where('closed_at', 'is', null)
    .where('checker', 'like', sourceChecker('%'))
    .$if(sources.length > 0, (query) => query.where('checker', 'not in', sources.map(sourceChecker)))
    .execute();
}

function keyOf({ owner, message }: SourceProblem): string {
  return JSON.stringify([owner, message]);
}
