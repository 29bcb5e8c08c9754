// Deleting much in short transactions, between which others may write: of SQLite one locks the whole database.

import { setTimeout } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { BaseRequest, Database } from '../../src/index.js';

const batchSize = 100;
/** Between two transactions. */
const restMs = 10;

/**
 * Writes about many rows, some in each transaction of the run. Ends early when the run is to end.
 *
 * @returns about how many rows
 * @throws RunLostError (`LINOD_ERR_RUN_LOST`) when the run was given up
 */
export async function inBatches(
  ar: BaseRequest,
  ids: readonly number[],
  work: (tx: Transaction<Database>, ids: readonly number[]) => Promise<void>,
): Promise<number> {
  let done = 0;
  while (done < ids.length && !ar.signal.aborted) {
    const some = ids.slice(done, done + batchSize);
    await ar.transaction(async (tx) => await work(tx, some));
    done += some.length;
    await setTimeout(restMs);
  }
  return done;
}
