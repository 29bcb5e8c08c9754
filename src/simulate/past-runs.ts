// What the history of its jobs says of the runs of a rule: how long they take, and how often they came to no good end.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.js';

/** So many of the newest runs decide. */
const newest = 101;

/** What the newest runs of a rule were like. */
export interface PastRuns {
  /** The median of those that were done, in ms; null when none was. */
  readonly medianMs: number | null;
  /** How many they are, whatever their end. */
  readonly count: number;
  /** Those that failed, took too long or were lost. */
  readonly failed: number;
}

/** By the number of the rule; rules without a run that has ended are missing. */
export async function pastRuns(
  db: Kysely<Database>,
  rules: readonly number[],
): Promise<Map<number, PastRuns>> {
  const found = new Map<number, PastRuns>();
  for (const rule of rules) {
    const rows = await db
      .selectFrom('jobs')
      .select(['status', 'start_datetime', 'end_datetime'])
      .where('rule_id', '=', rule)
      .where('end_datetime', 'is not', null)
      .orderBy('id', 'desc')
      .limit(newest)
      .execute();
    if (rows.length === 0) continue;
    const durations = rows.flatMap(({ status, start_datetime: start, end_datetime: end }) =>
      status !== 'done' || end === null ? [] : [Math.max(0, end - start)],
    );
    const failed = rows.filter(({ status }) => ['failed', 'timeout', 'lost'].includes(status)).length;
    found.set(rule, { medianMs: medianOf(durations) ?? null, count: rows.length, failed });
  }
  return found;
}

/** Of an even number of values the higher one in the middle. */
function medianOf(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
