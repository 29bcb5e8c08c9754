// The table of problems: those that were found again stay as they are, those that were not are closed.

import type { Insertable } from 'kysely';
import type { BaseRequest } from '../../src/index.js';
import { sourceChecker } from '../events/source-problems.js';
import { mayGoOn } from '../pause.js';
import { daysBefore, retention } from '../retention.js';
import type { SiteDatabase } from '../store/open.js';
import type { DataProblemTable } from '../store/tables.js';
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

/**
 * Writes what was found about some rows. A problem that is known keeps its first day; one that was not found again is
 * closed when the pass has come to its end. A part of a transaction.
 */
export async function keepFindings(
  ar: BaseRequest,
  tx: SiteDatabase,
  pass: Pass,
  findings: readonly RowFindings[],
): Promise<Changes> {
  const unknown = findings.filter(({ isUnknown }) => isUnknown).map(({ owner }) => owner);
  for (const owners of chunks(unknown, batchSize)) await keepOpen(tx, pass, owners);
  let opened = 0;
  for (const some of chunks(newRows(ar, pass, findings), batchSize)) opened += await keepProblems(tx, some);
  return { opened, closed: 0 };
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
    // Those of event sources are closed by who finds them.
    .where('checker', 'not like', sourceChecker('%'))
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

/** A row a problem, each once. */
function newRows(
  ar: BaseRequest,
  pass: Pass,
  findings: readonly RowFindings[],
): Insertable<DataProblemTable>[] {
  const since = ar.now().getTime();
  const rows = new Map<string, Insertable<DataProblemTable>>();
  for (const { owner, problems } of findings) {
    for (const { message, fixable = false } of problems) {
      rows.set(JSON.stringify([owner, message]), {
        ...{ checker: pass.checker, owner, message, since },
        ...{ fixable: fixable ? 1 : 0, seen_pass: pass.number, closed_at: null },
      });
    }
  }
  return [...rows.values()];
}

/** Nothing is known of these rows: their problems stay. */
async function keepOpen(tx: SiteDatabase, pass: Pass, owners: readonly string[]): Promise<void> {
  await tx
    .updateTable('data_problems')
    .set({ seen_pass: pass.number })
    .where('checker', '=', pass.checker)
    .where('owner', 'in', owners)
    .where('closed_at', 'is', null)
    .execute();
}

/** @returns how many are news */
async function keepProblems(
  tx: SiteDatabase,
  rows: ReadonlyArray<Insertable<DataProblemTable>>,
): Promise<number> {
  const known = await tx
    .selectFrom('data_problems')
    .select(['owner', 'message'])
    .where('checker', 'in', [...new Set(rows.map((row) => row.checker))])
    .where('owner', 'in', [...new Set(rows.map((row) => row.owner))])
    .where('closed_at', 'is', null)
    .execute();
  const open = new Set(known.map(({ owner, message }) => JSON.stringify([owner, message])));
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
  return rows.filter(({ owner, message }) => !open.has(JSON.stringify([owner, message]))).length;
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size);
}
