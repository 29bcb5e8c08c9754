// Writing the ledger: why something ran or did not.

import type { Kysely } from 'kysely';
import { LinodError } from '../base/errors.js';
import type { Database } from '../store/schema.js';
import { type Entry, passedBetween } from './ledger-entry.js';
import type { JobRule } from './rule.js';

/** An entry with its rule. */
export interface RuleEntry extends Entry {
  readonly ruleId: number;
  /** The request that was decided upon. */
  readonly requestId?: number;
  /** The job, where neither the due time nor the request identifies it. */
  readonly jobId?: number;
}

/**
 * How the detail of `taken` begins where no other worker was quicker: the clock was set back to a time for
 * which there is a job.
 */
export const ranBefore = 'run before,';

/** Why there is no further attempt. */
export const inactiveRule = 'the rule is not active any more';

/** Rows per statement. Both databases limit the number of values. */
const rowsAtOnce = 500;

/** Writes entries in their order. @param decided who decided, and when, in ms since 1970 */
export async function writeEntries(
  db: Kysely<Database>,
  entries: readonly RuleEntry[],
  { by, at }: { readonly by: string; readonly at: number },
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
    const some = rows.slice(i, i + rowsAtOnce);
    await db.insertInto('decisions').values(some).execute();
  }
}

/** Replaces what PostgreSQL cannot store: NUL, and half of a surrogate pair. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/**
 * The entry for due times that had not started when a rule was changed. They are dropped, because an edit
 * never runs a rule.
 *
 * @param rule as it was before, due at `dueAt`
 * @param until what is due later may still be run
 * @param what as in `edited before it started`
 */
export function leftUndone(rule: JobRule, dueAt: number | null, until: number, what: string): RuleEntry[] {
  if (dueAt === null || dueAt > until) return [];
  let passed: Pick<RuleEntry, 'dueAt' | 'dueUntil' | 'times'> = { dueAt, dueUntil: null, times: 1 };
  try {
    if (rule.policies.runAfter === '') passed = passedBetween(rule, dueAt, until);
  } catch (error) {
    // For an invalid rule, only one due time is known.
    if (!(error instanceof LinodError)) throw error;
  }
  return [{ ruleId: rule.id, ...passed, reason: 'dropped', detail: `${what} before it started` }];
}

/** The entry for due times while a rule was inactive. @param rule as if it had been active */
export function missedSince(rule: JobRule, since: Date, now: number, why: string): RuleEntry[] {
  try {
    const first = rule.policies.runAfter === '' ? (rule.dueAfter(since)?.getTime() ?? null) : null;
    if (first === null || first > now) return [];
    return [{ ruleId: rule.id, ...passedBetween(rule, first, now), reason: 'skipped', detail: why }];
  } catch (error) {
    // An invalid rule is never due.
    if (!(error instanceof LinodError)) throw error;
    return [];
  }
}
