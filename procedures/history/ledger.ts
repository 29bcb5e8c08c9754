// Reduces old entries of the ledger to counts for each day, rule and reason.

import type { Kysely } from 'kysely';
import { type BaseRequest, type Database, LinodError, localTime, sql } from '../../src/index.js';
import { batchSize, drain } from '../shared/delete-old.js';
import { shouldContinue } from '../shared/pause.js';
import { daysBefore, type Retention } from '../shared/retention.js';

/** The counted part of a decision. */
interface Decision {
  readonly due_at: number | null;
  readonly decided_at: number;
  readonly reason: string;
  readonly times: number;
  readonly detail: string;
}

interface Count {
  readonly day: string;
  readonly reason: string;
  times: number;
  first_at: number;
  last_at: number;
  last_detail: string;
}

/**
 * Moves decisions about a rule that are too old, or too many, from the ledger into the counts of their days.
 * Each batch is a short transaction, so each decision is either in the ledger or counted.
 *
 * @returns how many decisions
 */
export async function summariseDecisions(
  ar: BaseRequest,
  ruleId: number,
  limits: Retention,
): Promise<number> {
  const surplus = await ar.db
    .selectFrom('decisions')
    .select('id')
    .where('rule_id', '=', ruleId)
    .orderBy('id', 'desc')
    .limit(1)
    .offset(Math.floor(limits.decisionsPerRule))
    .executeTakeFirst();
  const decidedBefore = daysBefore(ar.now(), limits.decisionDays);
  const dayOf = await dayFormatter(ar, ruleId);
  return await drain(ar, async (tx) => {
    const old = tx
      .selectFrom('decisions')
      .select('id')
      .where('rule_id', '=', ruleId)
      .where((eb) => eb.or([eb('id', '<=', surplus?.id ?? 0), eb('decided_at', '<', decidedBefore)]))
      .orderBy('id')
      .limit(batchSize);
    // Another run may have deleted some of them: the run that deletes a decision counts it.
    const gone = await tx.deleteFrom('decisions').where('id', 'in', old).returningAll().execute();
    for (const day of countByDay(gone, dayOf)) await add(tx, ruleId, day);
    return gone.length;
  });
}

/** Deletes the counts of days that are too long ago. */
export async function clearSummaries(ar: BaseRequest, ruleId: number, limits: Retention): Promise<void> {
  const first = new Date(daysBefore(ar.now(), limits.decisionSummaryDays)).toISOString();
  if (!(await shouldContinue(ar.signal))) return;
  await ar.transaction(async (tx) => {
    await tx
      .deleteFrom('decision_summaries')
      .where('rule_id', '=', ruleId)
      .where('day', '<', first.slice(0, dayLength))
      .execute();
  });
}

const dayLength = 'yyyy-mm-dd'.length;

function countByDay(decisions: readonly Decision[], dayOf: (at: number) => string): Count[] {
  const counts = new Map<string, Count>();
  for (const { due_at: dueAt, decided_at: decidedAt, reason, times, detail } of decisions) {
    const at = dueAt ?? decidedAt;
    const day = dayOf(at);
    const key = `${day} ${reason}`;
    const count = counts.get(key);
    if (count === undefined) {
      counts.set(key, { day, reason, times, first_at: at, last_at: at, last_detail: detail });
      continue;
    }
    count.times += times;
    count.first_at = Math.min(count.first_at, at);
    if (at >= count.last_at) Object.assign(count, { last_at: at, last_detail: detail });
  }
  return [...counts.values()];
}

async function add(tx: Kysely<Database>, ruleId: number, count: Count): Promise<void> {
  await tx
    .insertInto('decision_summaries')
    .values({ rule_id: ruleId, ...count })
    .onConflict((conflict) =>
      conflict.columns(['rule_id', 'day', 'reason']).doUpdateSet((eb) => ({
        times: eb('decision_summaries.times', '+', eb.ref('excluded.times')),
        first_at: sql<number>`case when excluded.first_at < decision_summaries.first_at
          then excluded.first_at else decision_summaries.first_at end`,
        last_detail: sql<string>`case when excluded.last_at >= decision_summaries.last_at
          then excluded.last_detail else decision_summaries.last_detail end`,
        last_at: sql<number>`case when excluded.last_at >= decision_summaries.last_at
          then excluded.last_at else decision_summaries.last_at end`,
      })),
    )
    .execute();
}

/** Returns a function for the day of an instant in the rule's zone, or in the site's if that is invalid. */
async function dayFormatter(ar: BaseRequest, ruleId: number): Promise<(at: number) => string> {
  const rule = await ar.db
    .selectFrom('job_rules')
    .select(['timezone', 'suggestion'])
    .where('id', '=', ruleId)
    .executeTakeFirst();
  const suggested = (JSON.parse(rule?.suggestion ?? '{}') as { timezone?: string | null }).timezone;
  const own = rule?.timezone ?? suggested ?? ar.site.settings.timezone;
  const day = (at: number, zone: string) => localTime(new Date(at), zone).slice(0, dayLength);
  return (at) => {
    try {
      return day(at, own);
    } catch (error) {
      if (error instanceof LinodError) return day(at, ar.site.settings.timezone);
      throw error;
    }
  };
}
