// Finds the rows of a rule about a period without reading its whole history. Rows are numbered in the order of their
// times, so a binary search leads there.

import { type Kysely, sql } from 'kysely';
import type { Database } from '../../store/schema.js';

/** A table of rows of rules, and the column with the time that grows with their numbers. */
export type TimedTable =
  | { readonly table: 'decisions'; readonly column: 'decided_at' }
  | { readonly table: 'jobs'; readonly column: 'start_datetime' };

/**
 * So many rows more on each side. What is about a time is not always written at that time: an outage is written down
 * when it is over. But then it is among the next rows.
 */
const slack = 100;

/** The first and the last number of rows that may be about a period, in ms since 1970. */
export async function numbersBetween(
  db: Kysely<Database>,
  { table, column }: TimedTable,
  ruleId: number,
  [from, to]: readonly [from: number, to: number],
): Promise<readonly [first: number, last: number]> {
  const [rows, at] = [sql.table(table), sql.ref(column)];
  const one = async (where: ReturnType<typeof sql>, order: 'asc' | 'desc', offset: number) =>
    (
      await sql<{ id: number; at: number }>`select id, ${at} as at from ${rows}
        where rule_id = ${ruleId} and ${where} order by id ${sql.raw(order)} limit 1 offset ${offset}`.execute(
        db,
      )
    ).rows[0];
  const newest = await one(sql`true`, 'desc', 0);
  const numberAt = async (instant: number): Promise<number> => {
    let [low, high] = [0, (newest?.id ?? 0) + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const found = await one(sql`id >= ${middle}`, 'asc', 0);
      if (found === undefined || found.at >= instant) high = middle;
      else low = found.id + 1;
    }
    return low;
  };
  const before = await one(sql`id < ${await numberAt(from)}`, 'desc', slack - 1);
  if (newest === undefined || newest.at <= to) return [before?.id ?? 0, Number.MAX_SAFE_INTEGER];
  const after = await one(sql`id >= ${await numberAt(to)}`, 'asc', slack);
  return [before?.id ?? 0, after?.id ?? Number.MAX_SAFE_INTEGER];
}
