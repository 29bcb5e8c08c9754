// Rules as lists show them, each with its last runs.

import { type Kysely, sql } from 'kysely';
import type { JobRule } from '../rules/rule.js';
import { inWords } from '../rules/rule-words.js';
import type { JobStatus } from '../runs/job.js';
import { excludedText } from '../scheduler/status.js';
import { idList } from '../store/dialect.js';
import type { Database } from '../store/schema.js';
import type { RuleState, RuleSummary } from './api.js';
import { jobSummary, jobsById } from './job-summary.js';

/** How many runs the strip of a rule shows. */
const stripRuns = 50;

export async function ruleSummaries(db: Kysely<Database>, rules: readonly JobRule[]): Promise<RuleSummary[]> {
  const strips = await readStrips(
    db,
    rules.map(({ id }) => id),
  );
  const jobs = await jobsById(
    db,
    Array.from(strips.values(), (strip) => strip.at(-1)?.job ?? 0),
  );
  return rules.map((rule) => {
    const strip = strips.get(rule.id) ?? [];
    const last = jobs.get(strip.at(-1)?.job ?? 0);
    const isRunning = strip.some(({ status }) => status === 'running');
    return {
      id: rule.id,
      name: rule.name,
      procedure: rule.procedure,
      when: inWords(rule),
      ...stateOf(rule, isRunning),
      nextAt: rule.nextDueAt?.toISOString() ?? null,
      last: last === undefined ? null : jobSummary(last, rule.name),
      strip,
    };
  });
}

function stateOf(rule: JobRule, isRunning: boolean): { state: RuleState; stateText: string | null } {
  if (rule.removedAt !== null)
    return { state: 'removed', stateText: `no procedure ${rule.procedure} is registered` };
  if (rule.cancelledAt !== null) return { state: 'paused', stateText: rule.cancelledReason };
  if (isRunning) return { state: 'running', stateText: null };
  if (rule.nextDueAt !== null || rule.policies.runAfter !== '') return { state: 'active', stateText: null };
  const isExcluded = rule.isExcludedAfter(new Date());
  return { state: 'never', stateText: isExcluded ? excludedText(rule) : 'its recurrence has ended' };
}

interface StripRow {
  readonly id: number;
  readonly rule_id: number;
  readonly status: JobStatus;
  readonly start_datetime: number;
  readonly end_datetime: number | null;
}

/** The last runs of each rule, the oldest first. Reads no more of a long history. */
async function readStrips(
  db: Kysely<Database>,
  ids: readonly number[],
): Promise<Map<number, Array<RuleSummary['strip'][number]>>> {
  const { rows } = await sql<StripRow>`
    select jobs.id, jobs.rule_id, status, start_datetime, end_datetime
    from (
      select id, coalesce(
        (select id from jobs where rule_id = job_rules.id order by id desc limit 1 offset ${stripRuns - 1}), 0
      ) as first_job
      from job_rules where id in ${idList(db, ids)}
    ) as shown
    join jobs on jobs.rule_id = shown.id and jobs.id >= shown.first_job
    order by jobs.rule_id, jobs.id`.execute(db);
  const strips = new Map<number, Array<RuleSummary['strip'][number]>>();
  for (const { id, rule_id, status, start_datetime, end_datetime } of rows) {
    const run = { job: id, status, ms: end_datetime === null ? null : end_datetime - start_datetime };
    const strip = strips.get(rule_id);
    if (strip === undefined) strips.set(rule_id, [run]);
    else strip.push(run);
  }
  return strips;
}
