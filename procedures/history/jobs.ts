// Which jobs of a rule are too old or too many.

import type { BaseRequest, JobStatus } from '../../src/index.js';
import { mayGoOn } from '../pause.js';
import { daysBefore, type Retention } from '../retention.js';
import { inBatches } from './batches.js';

const pageSize = 500;

/** How many are kept of a kind of ends, and from when on. */
interface Limit {
  readonly count: number;
  readonly startedAt: number;
}

/**
 * Deletes jobs of a rule, with their lines, from the newest that is to go to the oldest. A running job stays, and so does
 * the rule's newest one: people want to see how it went last time, even if that was a year ago.
 *
 * @returns how many
 */
export async function clearJobs(ar: BaseRequest, ruleId: number, limits: Retention): Promise<number> {
  const isTooMuch = judge(ar, limits);
  let deleted = 0;
  let before = Number.MAX_SAFE_INTEGER;
  while (await mayGoOn(ar.signal)) {
    const rows = await ar.db
      .selectFrom('jobs')
      .select(['id', 'status', 'start_datetime'])
      .where('rule_id', '=', ruleId)
      .where('id', '<', before)
      .orderBy('id', 'desc')
      .limit(pageSize)
      .execute();
    const ids = rows.filter((row) => isTooMuch(row.status, row.start_datetime)).map((row) => row.id);
    deleted += await deleteJobs(ar, ids);
    if (rows.length < pageSize) break;
    before = rows.at(-1)?.id ?? 0;
  }
  return deleted;
}

/** Asked for each job of a rule, the newest first. */
function judge(ar: BaseRequest, limits: Retention): (status: string, startedAt: number) => boolean {
  const good: Limit = { count: limits.jobsPerRule, startedAt: daysBefore(ar.now(), limits.jobDays) };
  const bad: Limit = {
    count: limits.failedJobsPerRule,
    startedAt: daysBefore(ar.now(), limits.failedJobDays),
  };
  const limitOf: Readonly<Record<Exclude<JobStatus, 'running'>, Limit>> = {
    done: good,
    cancelled: good,
    failed: bad,
    timeout: bad,
    lost: bad,
  };
  const seen = new Map<Limit, number>();
  let isNewest = true;
  return (status, startedAt) => {
    const isOnlyNow = isNewest;
    isNewest = false;
    if (!isEnd(status)) return false;
    const limit = limitOf[status];
    const number = (seen.get(limit) ?? 0) + 1;
    seen.set(limit, number);
    return !isOnlyNow && (number > Math.floor(limit.count) || startedAt < limit.startedAt);
  };
}

const ends: readonly string[] = ['done', 'cancelled', 'failed', 'timeout', 'lost'];

function isEnd(status: string): status is Exclude<JobStatus, 'running'> {
  return ends.includes(status);
}

/** Lines first, since a job may have thousands. */
async function deleteJobs(ar: BaseRequest, ids: readonly number[]): Promise<number> {
  if (ids.length === 0) return 0;
  let after = 0;
  while (await mayGoOn(ar.signal)) {
    const lines = await ar.db
      .selectFrom('job_lines')
      .select('id')
      .where('job_id', 'in', ids)
      .where('id', '>', after)
      .orderBy('id')
      .limit(pageSize)
      .execute();
    await inBatches(
      ar,
      lines.map((line) => line.id),
      async (tx, some) => {
        await tx.deleteFrom('job_lines').where('id', 'in', some).execute();
      },
    );
    if (lines.length < pageSize) break;
    after = lines.at(-1)?.id ?? after;
  }
  return await inBatches(ar, ids, async (tx, some) => {
    await tx.deleteFrom('jobs').where('id', 'in', some).execute();
  });
}
