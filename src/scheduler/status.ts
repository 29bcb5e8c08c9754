// How a rule stands, in the original's words.

import { lateAfterMs } from '../rules/ledger-entry.js';
import type { JobRule } from '../rules/rule.js';
import type { Job } from '../runs/job.js';

/**
 * `Job rule #3 <Procedures.checkdata every 1 daily> next run at: 2026-11-25T20:00:00+02:00`, as the original prints
 * it, followed by what a person needs to know besides.
 *
 * @param isRegistered whether one of the workers has its procedure, if there are workers
 */
export function statusLine(
  rule: JobRule,
  running: Job | undefined,
  now: number,
  isRegistered = true,
): string {
  const since =
    running === undefined ? '' : `running since ${rule.localTime(running.startDatetime)} (job ${running.id})`;
  const waits = rule.active && !isRegistered ? `; no running worker has procedure ${rule.procedure}` : '';
  const then = `${outlook(rule, now)}${waits}`;
  return `${rule} ${since === '' ? then : `${since}, ${then}`}`;
}

function outlook(rule: JobRule, now: number): string {
  if (rule.removedAt !== null) return `never runs: no procedure ${rule.procedure} is registered`;
  if (rule.cancelledAt !== null) {
    return `cancelled at ${rule.localTime(rule.cancelledAt)}, ${rule.cancelledReason ?? 'for no known reason'}; resume it with \`linod rule ${rule.id} resume\``;
  }
  const { runAfter } = rule.policies;
  if (rule.nextDueAt === null && runAfter !== '') return `runs after rule ${runAfter}`;
  if (rule.nextDueAt === null)
    return rule.isExcludedAfter(new Date(now))
      ? `never runs: ${excludedText(rule)}`
      : 'never runs again: its recurrence has ended';
  const time = rule.localTime(rule.nextDueAt);
  // A moment late is on its way; more means that nobody runs the rules, or that all slots are taken.
  return now - rule.nextDueAt.getTime() > lateAfterMs ? `due since: ${time}` : `next run at: ${time}`;
}

/** Why a rule is not due any more though its recurrence goes on. */
export function excludedText({ policies }: JobRule): string {
  return `all of its times are excluded (${policies.excluded.join(',')})`;
}
