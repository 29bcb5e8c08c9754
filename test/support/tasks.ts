// What tests of rules and jobs share: rules that are due often, and what the database has of them.

import type { Job } from '../../src/runs/job.js';
import type { View } from '../../src/scheduler/batch.js';
import type { Bench } from './site.js';

export const everySecond = { every: 1, everyUnit: 'secondly' } as const;
export const every10 = { every: 10, everyUnit: 'secondly' } as const;
export const nothing = () => undefined;

/** The view of a worker with free slots, without delays. */
export const quietView: View = {
  freeSlots: 100,
  pollingSince: 0,
  workerRanAt: () => true,
  groupWaits: new Map(),
  abandoned: [],
  delayOf: () => null,
};

/** The ledger of a rule, the oldest entry first. */
export async function reasons(bench: Bench, ruleId = 1): Promise<string[]> {
  const rows = await bench.store.db
    .selectFrom('decisions')
    .selectAll()
    .where('rule_id', '=', ruleId)
    .orderBy('id')
    .execute();
  return rows.map((row) => (row.detail === '' ? row.reason : `${row.reason} ${row.detail}`));
}

/** The requests that nobody has taken up. */
export async function openRequests(bench: Bench): Promise<unknown[]> {
  return await bench.store.db
    .selectFrom('job_requests')
    .selectAll()
    .where('handled_at', 'is', null)
    .execute();
}

/** The jobs, the oldest first. */
export async function oldestFirst(bench: Bench): Promise<Job[]> {
  return (await bench.jobs.list({ limit: 1000 })).reverse();
}
