// Deletes jobs that are too old or too many, requests without a job, and old entries of the console's audit.

import type { BaseRequest, JobStatus } from '../../src/index.js';
import { batchSize, drain } from '../shared/delete-old.js';
import { shouldContinue } from '../shared/pause.js';
import { daysBefore, type Retention } from '../shared/retention.js';

/** How many jobs with some statuses are kept, and for how long. */
interface Limit {
  readonly statuses: readonly JobStatus[];
  readonly count: number;
  readonly days: number;
}

/**
 * Deletes old jobs of a rule with their lines, the oldest first. Keeps running jobs and the rule's newest
 * job, which shows how the rule last went, even after a year.
 *
 * @returns how many
 */
export async function clearJobs(ar: BaseRequest, ruleId: number, limits: Retention): Promise<number> {
  const { jobsPerRule, jobDays, failedJobsPerRule, failedJobDays } = limits;
  const good: Limit = { statuses: ['done', 'cancelled'], count: jobsPerRule, days: jobDays };
  const bad: Limit = {
    statuses: ['failed', 'timeout', 'lost'],
    count: failedJobsPerRule,
    days: failedJobDays,
  };
  return (await clearJobsOf(ar, ruleId, good)) + (await clearJobsOf(ar, ruleId, bad));
}

async function clearJobsOf(
  ar: BaseRequest,
  ruleId: number,
  { statuses, count, days }: Limit,
): Promise<number> {
  if (!(await shouldContinue(ar.signal))) return 0;
  const ofRule = ar.db.selectFrom('jobs').select('id').where('rule_id', '=', ruleId).orderBy('id', 'desc');
  const newest = await ofRule.limit(1).executeTakeFirst();
  const ofKind = ofRule.where('status', 'in', statuses);
  const surplus = await ofKind.limit(1).offset(Math.floor(count)).executeTakeFirst();
  const startedBefore = daysBefore(ar.now(), days);
  return await drain(ar, async (tx) => {
    const old = await tx
      .selectFrom('jobs')
      .select('id')
      .where('rule_id', '=', ruleId)
      .where('status', 'in', statuses)
      .where('id', '!=', newest?.id ?? 0)
      .where((eb) => eb.or([eb('id', '<=', surplus?.id ?? 0), eb('start_datetime', '<', startedBefore)]))
      .orderBy('id')
      .limit(batchSize)
      .execute();
    const ids = old.map((row) => row.id);
    if (ids.length === 0) return 0;
    await tx.deleteFrom('job_lines').where('job_id', 'in', ids).execute();
    await tx.deleteFrom('jobs').where('id', 'in', ids).execute();
    return ids.length;
  });
}

/** Deletes requests that were handled some time ago. @returns how many */
export async function clearRequests(ar: BaseRequest, { requestDays }: Retention): Promise<number> {
  const handledBefore = daysBefore(ar.now(), requestDays);
  return await drain(ar, async (tx) => {
    const old = tx
      .selectFrom('job_requests')
      .select('id')
      .where('handled_at', '<', handledBefore)
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('jobs').select('jobs.id').whereRef('request_id', '=', 'job_requests.id'))),
      )
      .orderBy('id')
      .limit(batchSize);
    const { numDeletedRows } = await tx.deleteFrom('job_requests').where('id', 'in', old).executeTakeFirst();
    return Number(numDeletedRows);
  });
}

/** Deletes old entries of the console's audit. @returns how many */
export async function clearAudit(ar: BaseRequest, { auditDays }: Retention): Promise<number> {
  const writtenBefore = daysBefore(ar.now(), auditDays);
  return await drain(ar, async (tx) => {
    // The oldest have the lowest ids.
    const oldest = tx.selectFrom('console_audit').select(['id', 'at']).orderBy('id').limit(batchSize);
    const ids = (await oldest.execute()).filter(({ at }) => at < writtenBefore).map(({ id }) => id);
    if (ids.length > 0) await tx.deleteFrom('console_audit').where('id', 'in', ids).execute();
    return ids.length;
  });
}
