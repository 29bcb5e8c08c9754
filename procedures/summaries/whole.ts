// All keys of a summary, marked as those are whose data have changed. That it was asked for is written down first: a run
// that is killed while it marks leaves the rest to the next one, and nothing is computed before all are marked.

import type { BaseRequest } from '../../src/index.js';
import { headline } from '../failures.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import { type AnySummary, newMark } from './summaries.js';

const batchSize = 500;

/** Has all keys of these summaries computed, by this run or by one that comes after it. */
export async function askForWhole(
  ar: BaseRequest,
  db: SiteDatabase,
  wanted: readonly AnySummary[],
): Promise<void> {
  if (wanted.length === 0) return;
  const at = ar.now().getTime();
  await db
    .insertInto('whole_summaries')
    .values(wanted.map(({ name }) => ({ summary: name, asked_at: at })))
    .onConflict((conflict) => conflict.column('summary').doNothing())
    .execute();
}

/**
 * Marks all keys of a summary if that was asked for. Those that are marked keep their place in the queue. What `keys`
 * throws is told, and asked again in the next run.
 */
export async function markWhole(ar: BaseRequest, db: SiteDatabase, summary: AnySummary): Promise<void> {
  const asked = await db
    .selectFrom('whole_summaries')
    .select('asked_at')
    .where('summary', '=', summary.name)
    .executeTakeFirst();
  if (asked === undefined || summary.keys === undefined) return;
  let keys: string[] = [];
  try {
    for await (const key of await summary.keys(ar)) {
      keys.push(String(key));
      if (keys.length < batchSize) continue;
      await markIfNew(ar, db, summary, keys);
      keys = [];
      if (!(await mayGoOn(ar.signal))) return;
    }
  } catch (error) {
    ar.warning(`${summary.name}: its keys could not be read: ${headline(error)}`, { error });
    return;
  } finally {
    await markIfNew(ar, db, summary, keys);
  }
  // Keys that end early since the run is to end are not all keys.
  if (ar.signal.aborted) return;
  await db
    .deleteFrom('whole_summaries')
    .where('summary', '=', summary.name)
    .where('asked_at', '=', asked.asked_at)
    .execute();
}

async function markIfNew(
  ar: BaseRequest,
  db: SiteDatabase,
  { name }: AnySummary,
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  await db
    .insertInto('dirty_summaries')
    .values(keys.map((key) => newMark(name, key, ar.now())))
    .onConflict((conflict) => conflict.columns(['summary', 'key']).doNothing())
    .execute();
}
