// Writing the ledger: why something ran or did not.

import type { Kysely } from 'kysely';
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

/** Both databases take a bounded number of values in one statement. */
const rowsAtOnce = 500;

/** Writes entries in their order. */
export async function writeEntries(
  db: Kysely<Database>,
  entries: readonly RuleEntry[],
  { by, at }: Decided,
): Promise<void> {
  const rows = entries.map((entry) => ({
    rule_id: entry.ruleId,
    due_at: entry.dueAt,
    due_until: entry.dueUntil,
    times: entry.times,
    reason: entry.reason,
    detail: storable(entry.detail),
    request_id: entry.requestId ?? null,
    job_id: entry.jobId ?? null,
    decided_at: at,
    worker_id: by,
  }));
  for (let i = 0; i < rows.length; i += rowsAtOnce) {
    await db
      .insertInto('decisions')
      .values(rows.slice(i, i + rowsAtOnce))
      .execute();
  }
}

/** A text as every database takes it: PostgreSQL knows neither NUL nor half of a surrogate pair. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
