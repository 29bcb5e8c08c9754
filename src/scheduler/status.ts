// The status line of a rule, in the format of the original.

import { lateAfterMs } from '../rules/ledger-entry.js';
import type { JobRule } from '../rules/rule.js';
import type { Job } from '../runs/job.js';

/**
 * `Job rule #3 <Procedures.checkdata every 1 daily> next run at: 2026-11-25T20:00:00+02:00`, as the original
 * prints it, and after that why the rule does not run.
 *
 * @param isRegistered whether a running worker has its procedure; true when no worker runs
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
  const then = `${nextRun(rule, now)}${waits}`;
  return `${rule} ${since === '' ? then : `${since}, ${then}`}`;
}

/** Whether the next runs are debugged, as a sentence; null when they are not. */
export function debugText({ debugRuns }: JobRule): string | null {
  if (debugRuns === 0) return null;
  const runs = debugRuns === 1 ? 'the next run logs' : `the next ${debugRuns} runs log`;
  return `${runs} at DEBUG; \`linod job\` shows the lines`;
}

function nextRun(rule: JobRule, now: number): string {
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
  // A rule that is a few seconds late is about to start. A later one waits for a worker or a slot.
  return now - rule.nextDueAt.getTime() > lateAfterMs ? `due since: ${time}` : `next run at: ${time}`;
}

/** Why a rule is never due although its recurrence has not ended. */
export function excludedText({ policies }: JobRule): string {
  return `all of its times are excluded (${policies.excluded.join(',')})`;
}
