// The runs that came of one due time or request: the first, and the further attempts after it.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.js';
import { type Job, jobFromRow } from '../tasks/job.js';
import { jobText, type TimeWriter } from './sentences.js';

/** A further attempt: a run, or what became of it before it could be one. */
export interface Attempt {
  readonly attempt: number;
  readonly job: Job | null;
  /** When it comes, while it waits. */
  readonly runAt: Date | null;
  /** Why it is no run, in words. */
  readonly outcome: string | null;
}

/** The further attempts after a run, in their order. */
export async function attemptsAfter(db: Kysely<Database>, first: Job): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  for (let job: Job | null = first; job !== null; job = attempts.at(-1)?.job ?? null) {
    const row: { id: number; attempt: number; run_at: number; outcome: string | null } | undefined = await db
      .selectFrom('job_requests')
      .select(['id', 'attempt', 'run_at', 'outcome'])
      .where('rule_id', '=', first.ruleId)
      .where('action', '=', 'run')
      .where('of_job', '=', job.id)
      .where('attempt', '=', job.attempt + 1)
      .orderBy('id')
      .limit(1)
      .executeTakeFirst();
    if (row === undefined) break;
    const run = await db.selectFrom('jobs').selectAll().where('request_id', '=', row.id).executeTakeFirst();
    attempts.push({
      attempt: row.attempt,
      job: run === undefined ? null : jobFromRow(run),
      runAt: row.outcome === null ? new Date(row.run_at) : null,
      outcome: row.outcome === 'run' ? null : row.outcome,
    });
  }
  return attempts;
}

/** An attempt as a sentence. */
export function attemptText({ attempt, job, runAt, outcome }: Attempt, time: TimeWriter): string {
  const name = `attempt ${attempt}`;
  if (job !== null) return `${name}: ${jobText(job, time)}`;
  if (runAt !== null) return `${name} comes at ${time(runAt)}`;
  return `${name}: ${outcome ?? 'its job is not kept any more'}`;
}
