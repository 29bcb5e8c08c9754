// Writing the ledger: why something ran or did not.

import type { Kysely, RawBuilder } from 'kysely';
import { listJson, listTable } from '../store/dialect.js';
import { sql } from '../store/kysely.js';
import { type Placeholder, PreparedQuery } from '../store/prepared.js';
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

/** A part of a statement that writes entries: see {@link listOfEntries}. */
export function insertEntries(
  db: Kysely<Database>,
  value: Placeholder<{ entries: string; at: number; by: string }>,
): RawBuilder<never> {
  return sql<never>`
    insert into decisions (rule_id, due_at, due_until, times, reason, detail, request_id, job_id, decided_at, worker_id)
    select rule_id, due_at, due_until, times, reason, detail, request_id, job_id, cast(${value('at')} as bigint),
      ${value('by')}
    from ${listTable(db, value('entries'), columns)} as entries
  `;
}

const write = new PreparedQuery<{ entries: string; at: number; by: string }, never>(insertEntries);

/** Writes entries in their order, with one statement. */
export async function writeEntries(
  db: Kysely<Database>,
  entries: readonly RuleEntry[],
  decided: Decided,
): Promise<void> {
  if (entries.length > 0) await write.run(db, { ...decided, entries: listOfEntries(entries) });
}

/** Entries as {@link insertEntries} takes them. */
export function listOfEntries(entries: readonly RuleEntry[]): string {
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
  return listJson(rows, columns);
}
