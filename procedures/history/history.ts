// Jobs and requests that the daemon leaves behind, and which of them are too old. The ledger is in ledger.ts.

import type { ExpressionBuilder, Kysely } from 'kysely';
import type { BaseRequest, Database, JobStatus } from '../../src/index.js';
import { mayGoOn } from '../pause.js';
import { daysBefore, type Retention } from '../retention.js';

const goodEnds: readonly JobStatus[] = ['done', 'cancelled'];
const badEnds: readonly JobStatus[] = ['failed', 'timeout', 'lost'];

/** Small: the lines of a job go with it, and there may be thousands. */
const jobsPerBatch = 50;
export const rowsPerBatch = 500;

/**
 * Deletes jobs of a rule, with their lines. A running job stays, and so does the rule's newest one: people want to
 * see how it went last time, even if that was a year ago.
 *
 * @returns how many
 */
export async function clearJobs(ar: BaseRequest, ruleId: number, limits: Retention): Promise<number> {
  const good = await clearEnded(ar, ruleId, goodEnds, limits.jobDays, limits.jobsPerRule);
  return good + (await clearEnded(ar, ruleId, badEnds, limits.failedJobDays, limits.failedJobsPerRule));
}

async function clearEnded(
  ar: BaseRequest,
  ruleId: number,
  ends: readonly JobStatus[],
  days: number,
  count: number,
): Promise<number> {
  const newest = await newestJobId(ar.db, ruleId);
  const surplusUpTo = await surplusJobId(ar.db, ruleId, ends, count);
  const startedBefore = daysBefore(ar.now(), days);
  return await inBatches(ar, async (after) => {
    const rows = await ar.db
      .selectFrom('jobs')
      .select('id')
      .where('rule_id', '=', ruleId)
      .where('id', '>', after)
      .where('id', '<', newest)
      .where('status', 'in', ends)
      .where((eb) => eb.or([eb('id', '<=', surplusUpTo), eb('start_datetime', '<', startedBefore)]))
      .orderBy('id')
      .limit(jobsPerBatch)
      .execute();
    const ids = rows.map((row) => row.id);
    if (ids.length > 0) await ar.db.deleteFrom('jobs').where('id', 'in', ids).execute();
    return { ids, more: ids.length === jobsPerBatch };
  });
}

async function newestJobId(db: Kysely<Database>, ruleId: number): Promise<number> {
  const row = await db
    .selectFrom('jobs')
    .select('id')
    .where('rule_id', '=', ruleId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0;
}

/** The newest job that is too many, counted from the newest on; 0 when none is. */
async function surplusJobId(
  db: Kysely<Database>,
  ruleId: number,
  ends: readonly JobStatus[],
  keep: number,
): Promise<number> {
  const row = await db
    .selectFrom('jobs')
    .select('id')
    .where('rule_id', '=', ruleId)
    .where('status', 'in', ends)
    .orderBy('id', 'desc')
    .limit(1)
    .offset(Math.floor(keep))
    .executeTakeFirst();
  return row?.id ?? 0;
}

/** Deletes requests that were handled and that no job refers to. @returns how many */
export async function clearRequests(ar: BaseRequest, limits: Retention): Promise<number> {
  const handledBefore = daysBefore(ar.now(), limits.requestDays);
  return await inBatches(ar, async (after) => {
    const rows = await ar.db
      .selectFrom('job_requests')
      .select('id')
      .where('id', '>', after)
      .where('handled_at', '<', handledBefore)
      .where(hasNoJob)
      .orderBy('id')
      .limit(rowsPerBatch)
      .execute();
    const ids = rows.map((row) => row.id);
    // Asked again: a job may have come to refer to it meanwhile.
    if (ids.length > 0) {
      await ar.db.deleteFrom('job_requests').where('id', 'in', ids).where(hasNoJob).execute();
    }
    return { ids, more: ids.length === rowsPerBatch };
  });
}

function hasNoJob(eb: ExpressionBuilder<Database, 'job_requests'>) {
  return eb.not(
    eb.exists(eb.selectFrom('jobs').select('jobs.id').whereRef('jobs.request_id', '=', 'job_requests.id')),
  );
}

/** Takes steps, each from behind the last row of the one before, until there is no more or the run is to end. */
export async function inBatches(
  ar: BaseRequest,
  step: (after: number) => Promise<{ ids: readonly number[]; more: boolean }>,
): Promise<number> {
  let after = 0;
  let count = 0;
  let more = true;
  while (more && (await mayGoOn(ar.signal))) {
    const done = await step(after);
    count += done.ids.length;
    after = done.ids.at(-1) ?? after;
    more = done.more;
  }
  return count;
}
