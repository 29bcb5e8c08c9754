// Writing the ledger: why something ran or did not.

import type { Kysely } from 'kysely';
import { listJson, listTable } from '../store/dialect.js';
import { sql } from '../store/kysely.js';
import { PreparedQuery } from '../store/prepared.js';
import type { Database } from '../store/schema.js';
import type { Entry } from './decide.js';

/** An entry with its rule. */
export interface RuleEntry extends Entry {
  readonly ruleId: number;
  /** The request that was decided upon. */
  readonly requestId?: number;
  /** The job, where neither due time nor request tell which. */
  readonly jobId?: number;
}

/** How the detail of `taken` begins where no other worker was quicker: the clock was set back to a time for which there is a job. */
export const ranBefore = 'run before,';

/** Who decided, and when, in ms since 1970. */
export interface Decided {
  readonly by: string;
  readonly at: number;
}

const columns = {
  rule_id: 'integer',
  due_at: 'integer',
  due_until: 'integer',
  times: 'integer',
  reason: 'text',
  detail: 'text',
  request_id: 'integer',
  job_id: 'integer',
} as const;

const insertEntries = new PreparedQuery<{ list: string; at: number; by: string }, never>(
  (db, value) => sql`
    insert into decisions (rule_id, due_at, due_until, times, reason, detail, request_id, job_id, decided_at, worker_id)
    select rule_id, due_at, due_until, times, reason, detail, request_id, job_id, cast(${value('at')} as bigint),
      ${value('by')}
    from ${listTable(db, value('list'), columns)} as entries
  `,
);

/** Writes entries in their order, with one statement. */
export async function writeEntries(
  db: Kysely<Database>,
  entries: readonly RuleEntry[],
  { by, at }: Decided,
): Promise<void> {
  if (entries.length === 0) return;
  const rows = entries.map((entry) => ({
    rule_id: entry.ruleId,
    due_at: entry.dueAt,
    due_until: entry.dueUntil,
    times: entry.times,
    reason: entry.reason,
    detail: entry.detail,
    request_id: entry.requestId ?? null,
    job_id: entry.jobId ?? null,
  }));
  await insertEntries.run(db, { list: listJson(rows, columns), at, by });
}
