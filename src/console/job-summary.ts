// Runs as lists show them.

import type { Kysely } from 'kysely';
import { type Job, jobFromRow } from '../runs/job.js';
import { idList } from '../store/dialect.js';
import type { Database } from '../store/schema.js';
import type { JobSummary } from './api.js';

const maxHeadline = 200;

export function jobSummary(job: Job, ruleName: string): JobSummary {
  const [headline = ''] = job.message.split('\n', 1);
  return {
    id: job.id,
    rule: job.ruleId,
    ruleName,
    procedure: job.procedure,
    dueAt: job.dueAt?.toISOString() ?? null,
    startedAt: job.startDatetime.toISOString(),
    endedAt: job.endDatetime?.toISOString() ?? null,
    status: job.status,
    attempt: job.attempt,
    headline: headline.slice(0, maxHeadline),
    progress: job.progress,
  };
}

/** Jobs by their numbers. */
export async function jobsById(db: Kysely<Database>, ids: readonly number[]): Promise<Map<number, Job>> {
  const rows = await db.selectFrom('jobs').selectAll().where('id', 'in', idList(db, ids)).execute();
  return new Map(rows.map((row) => [row.id, jobFromRow(row)]));
}

/** Summaries of jobs of several rules, in their order. */
export async function summariesOf(db: Kysely<Database>, jobs: readonly Job[]): Promise<JobSummary[]> {
  const ids = [...new Set(jobs.map(({ ruleId }) => ruleId))];
  const rules = await db
    .selectFrom('job_rules')
    .select(['id', 'name'])
    .where('id', 'in', idList(db, ids))
    .execute();
  const names = new Map(rules.map(({ id, name }) => [id, name]));
  return jobs.map((job) => jobSummary(job, names.get(job.ruleId) ?? job.procedure));
}

export async function summaryOf(db: Kysely<Database>, job: Job): Promise<JobSummary> {
  const [summary = jobSummary(job, job.procedure)] = await summariesOf(db, [job]);
  return summary;
}
