// A pass: one look of a checker at all its rows. It may take several runs; what was checked is not checked again.

import { randomUUID } from 'node:crypto';
import type { BaseRequest } from '../../src/index.js';
import type { SiteDatabase } from '../store/open.js';
import type { Key } from './rows.js';

export interface Pass {
  readonly checker: string;
  /** Counts the passes of this checker. */
  readonly number: number;
  /** Whose pass it is: a run that begins takes it over, and the one before writes no more. */
  readonly run: string;
  /** The key of the last row that was checked. */
  readonly position: Key | null;
  readonly checked: number;
}

/** Goes on with the pass that was interrupted, or begins one. */
export async function beginPass(ar: BaseRequest, db: SiteDatabase, checker: string): Promise<Pass> {
  const last = await db
    .selectFrom('checker_passes')
    .selectAll()
    .where('checker', '=', checker)
    .executeTakeFirst();
  const run = randomUUID();
  if (last !== undefined && last.ended_at === null && last.position !== null) {
    const position = JSON.parse(last.position) as Key;
    await db.updateTable('checker_passes').set({ run }).where('checker', '=', checker).execute();
    return { checker, number: last.pass, run, position, checked: last.checked };
  }
  const number = (last?.pass ?? 0) + 1;
  const started = ar.now().getTime();
  const fresh = { pass: number, run, started_at: started, position: null, checked: 0, ended_at: null };
  await db
    .insertInto('checker_passes')
    .values({ checker, ...fresh })
    .onConflict((conflict) => conflict.column('checker').doUpdateSet(fresh))
    .execute();
  return { checker, number, run, position: null, checked: 0 };
}

/**
 * Keeps how far the pass has come. The transaction that writes problems begins with it: two runs of one checker then
 * write one after the other, and the one that was taken over writes nothing.
 *
 * @param endedAt when all rows were checked; null before
 * @returns whether the pass is still this run's
 */
export async function keepPass(tx: SiteDatabase, pass: Pass, endedAt: number | null): Promise<boolean> {
  const isOpen = endedAt === null && pass.position !== null;
  const { numUpdatedRows } = await tx
    .updateTable('checker_passes')
    .set({
      position: isOpen ? JSON.stringify(pass.position) : null,
      checked: pass.checked,
      ended_at: endedAt,
    })
    .where('checker', '=', pass.checker)
    .where('run', '=', pass.run)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
