// The future of one rule: its due times, when each run begins and ends, and why some are not run.

import { LinodError } from '../../base/errors.js';
import { followedBy } from '../../rules/find-rule.js';
import type { Entry } from '../../rules/ledger-entry.js';
import type { JobRule } from '../../rules/rule.js';
import type { Rules } from '../../rules/site-rules.js';
import { type SimulateSiteOptions, simulateSite } from './site.js';

/** What the ledger will get. Instants are in ms since 1970. */
export interface Forecast {
  readonly entry: Entry;
  readonly at: number;
  /** Null where nothing runs. */
  readonly startsAt: number | null;
  readonly endsAt: number | null;
}

/** The most due times of a rule that are simulated. */
const maxTimes = 300;

/** Simulates a rule and those that it follows. What others of the site do is left out. */
export async function forecastRule(
  rules: Rules,
  rule: JobRule,
  options: Omit<SimulateSiteOptions, 'db' | 'rules' | 'onEntry' | 'onInstant'>,
): Promise<Forecast[]> {
  const chain = [rule, ...(await rulesBefore(rules, rule))];
  const to = Math.min(...chain.map((one) => horizonOf(one, options)));
  const found: Array<{ readonly entry: Entry; readonly now: number }> = [];
  const report = await simulateSite({
    ...options,
    db: rules.db,
    rules: chain,
    to: new Date(to),
    onEntry: (entry, now) => {
      if (entry.ruleId === rule.id) found.push({ entry, now });
    },
  });
  const durationMs = report.rules.find((one) => one.rule === rule.id)?.durationMs ?? 0;
  const runMs = Math.min(durationMs, rule.policies.timeoutSeconds * 1000);
  return found.map(({ entry, now }) => {
    const isRun = entry.reason === 'started' || entry.reason === 'late';
    return {
      entry,
      at: entry.dueAt ?? now,
      startsAt: isRun ? now : null,
      endsAt: isRun ? now + runMs : null,
    };
  });
}

/** The rules whose runs lead to one of this rule. */
async function rulesBefore(rules: Rules, rule: JobRule): Promise<JobRule[]> {
  const found: JobRule[] = [];
  for (let id = await followedBy(rules.db, rule); id !== null; ) {
    const before = await rules.get(id);
    // What somebody wrote into the database may be a circle.
    if (found.some((one) => one.id === before.id)) break;
    found.push(before);
    id = await followedBy(rules.db, before);
  }
  return found;
}

/** Until when a rule can be simulated quickly. */
function horizonOf(rule: JobRule, { from, to }: { readonly from: Date; readonly to: Date }): number {
  try {
    let at: Date | null = from;
    for (let times = 0; times < maxTimes && at !== null && at < to; times++) at = rule.dueAfter(at);
    return Math.min(at?.getTime() ?? to.getTime(), to.getTime());
  } catch (error) {
    // A rule that cannot be read has no future.
    if (error instanceof LinodError) return to.getTime();
    throw error;
  }
}
