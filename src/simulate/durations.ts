// How long the runs of a rule take, as the history of its jobs says.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.js';

/** So many of the newest runs decide. */
const newest = 101;

/** The median of the newest runs that were done, in ms, by the number of the rule; rules without such a run are missing. */
export async function medianDurations(
  db: Kysely<Database>,
  rules: readonly number[],
): Promise<Map<number, number>> {
  const medians = new Map<number, number>();
  for (const rule of rules) {
    const rows = await db
      .selectFrom('jobs')
      .select(['start_datetime', 'end_datetime'])
      .where('rule_id', '=', rule)
      .where('status', '=', 'done')
      .where('end_datetime', 'is not', null)
      .orderBy('id', 'desc')
      .limit(newest)
      .execute();
    const durations = rows.flatMap(({ start_datetime: start, end_datetime: end }) =>
      end === null ? [] : [Math.max(0, end - start)],
    );
    const median = medianOf(durations);
    if (median !== undefined) medians.set(rule, median);
  }
  return medians;
}

/** Of an even number of values the higher one in the middle. */
function medianOf(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
