// Rules and runs that are only rows, for tests of the console.

import type { Store } from '../../src/store/store.js';

export const hour = 3_600_000;

/** Writes rules into the database that no procedure has. @returns their numbers, in their order */
export async function addRules({ db }: Store, names: readonly string[]): Promise<number[]> {
  const ids: number[] = [];
  for (const [index, name] of names.entries()) {
    const { id } = await db
      .insertInto('job_rules')
      .values({
        seqno: index + 1,
        name,
        procedure: 'report',
        suggestion: JSON.stringify({ every: 1, everyUnit: 'hourly' }),
        created_at: Date.now() - 30 * 24 * hour,
        next_due_at: Date.now() + (names.length - index) * hour,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    ids.push(id);
  }
  return ids;
}

export async function addJob(
  { db }: Store,
  rule: number,
  startedAt: number,
  status: string,
  message = '',
): Promise<number> {
  const { id } = await db
    .insertInto('jobs')
    .values({
      rule_id: rule,
      procedure: 'report',
      due_at: startedAt,
      start_datetime: startedAt,
      end_datetime: status === 'running' ? null : startedAt + 2500,
      status,
      message,
      worker_id: 'w1',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}
