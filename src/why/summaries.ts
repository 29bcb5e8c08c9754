// What is left of the ledger's old entries: how often what happened on which day.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.js';
import { isReason, type Reason, reasons } from '../tasks/reasons.js';

/** A day of a rule. */
export interface DaySummary {
  /** In the rule's zone, `2026-11-24`. */
  readonly day: string;
  readonly counts: ReadonlyArray<{
    readonly reason: Reason;
    readonly times: number;
    readonly lastDetail: string;
  }>;
}

/** The summarised days of a rule, the newest ones of them, the oldest first. */
export async function readSummaries(
  db: Kysely<Database>,
  ruleId: number,
  { since, day, limit }: { readonly since?: string; readonly day?: string; readonly limit: number },
): Promise<DaySummary[]> {
  const days = (
    await db
      .selectFrom('decision_summaries')
      .select('day')
      .distinct()
      .where('rule_id', '=', ruleId)
      .$if(since !== undefined, (query) => query.where('day', '>=', since ?? ''))
      .$if(day !== undefined, (query) => query.where('day', '=', day ?? ''))
      .orderBy('day', 'desc')
      .limit(limit)
      .execute()
  ).reverse();
  if (days.length === 0) return [];
  const rows = await db
    .selectFrom('decision_summaries')
    .selectAll()
    .where('rule_id', '=', ruleId)
    .where('day', '>=', days[0]?.day ?? '')
    .where('day', '<=', days.at(-1)?.day ?? '')
    .execute();
  return days.map(({ day: name }) => ({
    day: name,
    counts: rows
      .flatMap(({ day: of, reason, times, last_detail: lastDetail }) =>
        of === name && isReason(reason) ? [{ reason, times, lastDetail }] : [],
      )
      .sort((a, b) => reasons.indexOf(a.reason) - reasons.indexOf(b.reason)),
  }));
}

/** `1440 started, 3 skipped (the last: job 7 was still running, for 10 s)`. */
export function summaryText({ counts }: DaySummary): string {
  return counts
    .map(({ reason, times, lastDetail }) => {
      const last = lastDetail === '' ? '' : ` (${times === 1 ? '' : 'the last: '}${lastDetail})`;
      return `${times} ${reason}${last}`;
    })
    .join(', ');
}
