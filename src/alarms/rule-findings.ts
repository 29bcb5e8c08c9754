// What is wrong with the rules of a site, by its database.

import { type Kysely, sql } from 'kysely';
import { durationText } from '../base/duration.js';
import { idList } from '../store/dialect.js';
import type { Database } from '../store/schema.js';
import type { Finding } from './kinds.js';

export async function ruleFindings(db: Kysely<Database>, now: number): Promise<Finding[]> {
  return [...(await notSucceeded(db, now)), ...(await troubled(db))];
}

async function notSucceeded(db: Kysely<Database>, now: number): Promise<Finding[]> {
  const rules = await db
    .selectFrom('job_rules')
    .select(['id', 'name', 'must_succeed_ms', 'succeeded_at', 'cancelled_reason'])
    .select((eb) =>
      eb
        .selectFrom('jobs')
        .select(({ fn }) => fn.max('jobs.id').as('last'))
        .whereRef('jobs.rule_id', '=', 'job_rules.id')
        .as('job'),
    )
    .where('must_succeed_ms', 'is not', null)
    .where((eb) => eb(eb('succeeded_at', '+', eb.ref('must_succeed_ms')), '<', now))
    .orderBy('seqno')
    .execute();
  return rules.map(({ id, name, must_succeed_ms, succeeded_at, cancelled_reason, job }) => {
    const since = durationText(now - (succeeded_at ?? now));
    const last = job === null ? 'it has never run' : `its last run is job ${job}`;
    const why = cancelled_reason === null ? last : `it is cancelled: ${cancelled_reason}`;
    const text = `rule ${id} (${name}) has not succeeded for ${since}, and must within ${durationText(must_succeed_ms ?? 0)}; ${why}: linod why ${id}`;
    return { kind: 'not-succeeded', subject: `rule ${id}`, text, rule: id };
  });
}

/**
 * Rules whose last run failed after all attempts, or was lost. Once raised, an incident stays until a run
 * succeeds, whatever resets the count of failures.
 */
async function troubled(db: Kysely<Database>): Promise<Finding[]> {
  const open = await db
    .selectFrom('alarms')
    .select(['kind', 'rule_id'])
    .where('kind', 'in', ['failed', 'lost'])
    .where('cleared_at', 'is', null)
    .execute();
  const rulesOf = (wanted: string) =>
    new Set(open.flatMap(({ kind, rule_id }) => (kind === wanted && rule_id !== null ? [rule_id] : [])));
  const [failed, lost] = [rulesOf('failed'), rulesOf('lost')];
  const rules = await db
    .selectFrom('job_rules')
    .innerJoin('jobs', 'jobs.rule_id', 'job_rules.id')
    .select(['job_rules.id', 'name', 'failures_in_row', 'jobs.id as job', 'jobs.status', 'jobs.message'])
    .where('removed_at', 'is', null)
    .where(sql<boolean>`coalesce(cancelled_by, '') <> 'person'`)
    .where((eb) =>
      eb.or([
        eb('failures_in_row', '>', 0),
        eb('job_rules.id', 'in', idList(db, [...failed, ...lost])),
        // As a literal, so that the partial index is used.
        eb('job_rules.id', 'in', sql<number>`(select rule_id from jobs where status = 'lost')`),
      ]),
    )
    .where('jobs.id', '=', (eb) =>
      eb
        .selectFrom('jobs as last')
        .select(({ fn }) => fn.max('last.id').as('last'))
        .whereRef('last.rule_id', '=', 'job_rules.id')
        .where('last.status', 'not in', ['running', 'cancelled']),
    )
    .where('jobs.status', '!=', 'done')
    .execute();
  return rules.flatMap(({ id, name, failures_in_row, job, status, message }): Finding[] => {
    // A run that is lost in its last attempt counts as failed.
    const hasFailed = failures_in_row > 0 || failed.has(id);
    if (!hasFailed && status !== 'lost' && !lost.has(id)) return [];
    const text = `rule ${id} (${name}): job ${job}, ${status}: ${message.split('\n', 1)[0]}`;
    return [{ kind: hasFailed ? 'failed' : 'lost', subject: `rule ${id}`, text, rule: id }];
  });
}
