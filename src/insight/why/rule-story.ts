// Explains what happened to a rule, and what will.

import { openTasks } from '../../actors/tables.js';
import { systemClock } from '../../base/clock.js';
import { findRule } from '../../rules/find-rule.js';
import type { JobRule } from '../../rules/rule.js';
import type { Site } from '../../site/site.js';
import type { Store } from '../../store/store.js';
import { situationOf } from './blockers.js';
import { type DaySummary, type LedgerEntry, readEntries, readSummaries } from './entries.js';
import { type Outlook, outlookOf } from './outlook.js';
import { sentenceOf } from './sentences.js';

/** An entry of the ledger with its sentence. */
export interface DescribedEntry extends LedgerEntry {
  /** The time that the entry is about: its due time, or when it was decided. */
  readonly at: Date;
  readonly sentence: string;
}

export interface RuleStory {
  readonly rule: JobRule;
  readonly now: Date;
  /** Days of which only summaries are left. */
  readonly summaries: readonly DaySummary[];
  /** The oldest first. */
  readonly entries: readonly DescribedEntry[];
  readonly outlook: Outlook;
}

export interface StoryOptions {
  /** Entries from this instant on. Default: the newest ones. */
  readonly since?: Date;
  /** The maximum number of entries, the newest of them. Default 10. */
  readonly limit?: number;
  /** The number of upcoming due times. Default 5. */
  readonly next?: number;
  readonly now?: Date;
}

/**
 * Explains a rule from the ledger, the jobs and the workers.
 *
 * @param named which rule: its number, its name, or the name of its procedure if that has only one rule
 * @throws UnknownRuleError (`LINOD_ERR_UNKNOWN_RULE`), AmbiguousRuleError (`LINOD_ERR_AMBIGUOUS_RULE`)
 * @example
 * const { entries, outlook } = await ruleStory({ site, store }, 'nightly_report');
 */
export async function ruleStory(
  { site, store }: { readonly site: Site; readonly store: Store },
  named: number | string,
  { since, limit = 10, next = 5, now = new Date(systemClock.now()) }: StoryOptions = {},
): Promise<RuleStory> {
  const { db } = store;
  const ruleId = await findRule(db, named);
  const rule = await (await openTasks({ site, store })).rules.get(ruleId);
  const entries = await readEntries(db, ruleId, { limit, ...(since === undefined ? {} : { since }) });
  const described = describeEntries(entries, rule).filter(({ at }) => at <= now);
  // Summaries fill the page only where there are not enough entries.
  const free = limit - described.length;
  const sinceDay = since === undefined ? {} : { since: rule.localTime(since).slice(0, 10) };
  const summaries = free > 0 ? await readSummaries(db, ruleId, { limit: free, ...sinceDay }) : [];
  const outlook = await outlookOf(await situationOf({ site, store }, rule, now), next);
  return { rule, now, summaries, entries: described, outlook };
}

/** The entries with their sentences, in the order of the times that they are about. */
export function describeEntries(entries: readonly LedgerEntry[], rule: JobRule): DescribedEntry[] {
  const described = entries.map((entry) => ({
    ...entry,
    at: entry.dueAt ?? entry.decidedAt,
    sentence: sentenceOf(entry, (instant) => rule.localTime(instant)),
  }));
  return described.sort((a, b) => a.at.getTime() - b.at.getTime() || a.id - b.id);
}
