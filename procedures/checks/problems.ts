// The table of problems: those that were found again stay as they are, those that were not are closed.

import type { BaseRequest } from '../../src/index.js';
import { mayGoOn } from '../pause.js';
import { daysBefore, retention } from '../retention.js';
import type { SiteDatabase } from '../store/open.js';
import type { Problem } from './checkers.js';
import type { Pass } from './pass.js';

const batchSize = 500;

/** What a look at one row gave. */
export interface RowFindings {
  readonly owner: string;
  readonly problems: readonly Problem[];
  /** The row could not be checked, so that nothing is known of the problems that it had. */
  readonly isUnknown: boolean;
}

export interface Changes {
  readonly opened: number;
  readonly closed: number;
}

/** Writes what was found about some rows. A part of a transaction. */
export async function keepFindings(
  ar: BaseRequest,
  tx: SiteDatabase,
  pass: Pass,
  findings: readonly RowFindings[],
): Promise<Changes> {
  let opened = 0;
  for (const { owner, problems, isUnknown } of findings) {
    if (isUnknown) await keepOpen(tx, pass, owner);
    for (const problem of problems) if (await keepProblem(ar, tx, pass, owner, problem)) opened++;
  }
  const owners = findings.map((finding) => finding.owner);
  const { numUpdatedRows } = await tx
    .updateTable('data_problems')
    .set({ closed_at: ar.now().getTime() })
    .where('checker', '=', pass.checker)
    .where('owner', 'in', owners)
    .where('closed_at', 'is', null)
    .where('seen_pass', '!=', pass.number)
    .executeTakeFirst();
  return { opened, closed: Number(numUpdatedRows) };
}

/**
 * Closes what the pass did not find, also of rows that exist no more, and what was wrong with the checker itself.
 * A part of the transaction that ends the pass.
 *
 * @returns how many
 */
export async function closeRest(ar: BaseRequest, tx: SiteDatabase, pass: Pass): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('data_problems')
    .set({ closed_at: ar.now().getTime() })
    .where('checker', '=', pass.checker)
    .where('closed_at', 'is', null)
    .where((eb) => eb.or([eb('seen_pass', '!=', pass.number), eb('owner', '=', checkerOwner(pass.checker))]))
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** The owner of problems that are not about one row. */
export function checkerOwner(checker: string): string {
  return `checker ${checker}`;
}

/** Closes the problems of checkers that exist no more, and deletes what was closed long ago. */
export async function tidyProblems(
  ar: BaseRequest,
  db: SiteDatabase,
  checkers: readonly string[],
): Promise<void> {
  await db
    .updateTable('data_problems')
    .set({ closed_at: ar.now().getTime() })
    .where('closed_at', 'is', null)
    .where('checker', 'not in', checkers)
    .execute();
  const closedBefore = daysBefore(ar.now(), retention().closedProblemDays);
  let more = true;
  while (more && (await mayGoOn(ar.signal))) {
    const old = db
      .selectFrom('data_problems')
      .select('id')
      .where('closed_at', '<', closedBefore)
      .orderBy('closed_at')
      .limit(batchSize);
    const { numDeletedRows } = await db.deleteFrom('data_problems').where('id', 'in', old).executeTakeFirst();
    more = Number(numDeletedRows) === batchSize;
  }
}

async function keepOpen(tx: SiteDatabase, pass: Pass, owner: string): Promise<void> {
  await tx
    .updateTable('data_problems')
    .set({ seen_pass: pass.number })
    .where('checker', '=', pass.checker)
    .where('owner', '=', owner)
    .where('closed_at', 'is', null)
    .execute();
}

/** @returns whether it is news */
async function keepProblem(
  ar: BaseRequest,
  tx: SiteDatabase,
  pass: Pass,
  owner: string,
  problem: Problem,
): Promise<boolean> {
  const { message } = problem;
  const now = ar.now().getTime();
  const seen = { fixable: problem.fixable ? 1 : 0, seen_pass: pass.number };
  const known = await tx
    .selectFrom('data_problems')
    .select(['id', 'closed_at'])
    .where('checker', '=', pass.checker)
    .where('owner', '=', owner)
    .where('message', '=', message)
    .executeTakeFirst();
  if (known === undefined) {
    await tx
      .insertInto('data_problems')
      .values({ checker: pass.checker, owner, message, since: now, ...seen })
      .execute();
    return true;
  }
  const isBack = known.closed_at !== null;
  await tx
    .updateTable('data_problems')
    .set({ ...seen, closed_at: null, ...(isBack ? { since: now } : {}) })
    .where('id', '=', known.id)
    .execute();
  return isBack;
}
