// Deleting much in short transactions, between which others may write: of SQLite one locks the whole database.

import { setTimeout } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { BaseRequest, Database } from '../../src/index.js';
import { mayGoOn } from '../pause.js';

/** Rows of one step. */
export const batchSize = 100;
/** Between two transactions. */
const restMs = 10;

/**
 * Takes steps, each in a transaction of the run, until one finds less than a batch or the run is to end.
 *
 * @param step takes a batch of rows away, and returns how many
 * @returns how many in all
 * @throws RunLostError (`LINOD_ERR_RUN_LOST`) when the run was given up
 */
export async function drain(
  ar: BaseRequest,
  step: (tx: Transaction<Database>) => Promise<number>,
): Promise<number> {
  let done = 0;
  while (await mayGoOn(ar.signal)) {
    const count = await ar.transaction(step);
    done += count;
    if (count < batchSize) break;
    await setTimeout(restMs);
  }
  return done;
}
