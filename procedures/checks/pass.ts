// A pass is one check of all rows by a checker. It may take several runs, and checks no row twice.

import { randomUUID } from 'node:crypto';
import type { BaseRequest } from '../../src/index.js';
import type { SiteDatabase } from '../store/open.js';
import type { Key } from './rows.js';

export interface Pass {
  readonly checker: string;
  /** The number of the pass, counted by checker. */
  readonly number: number;
  /** The run that owns the pass. A new run takes it over, and the previous one then stores nothing. */
  readonly run: string;
  /** The key of the last checked row. */
  readonly position: Key | null;
  readonly checked: number;
}

/** Continues an interrupted pass, or begins a new one. */
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
 * Stores the position of the pass. A transaction that stores problems begins with this: it serialises two
 * runs of one checker, and the run that was taken over stores nothing.
 *
 * @param endedAt when all rows were checked; null before that
 * @returns whether this run still owns the pass
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
