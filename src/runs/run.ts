// One run, as the places where it may go on are given it, and what they give back.

import type { Job, Outcome } from '../tasks/job.js';
import type { JobLog } from '../tasks/job-log.js';
import type { JobRule } from '../tasks/rule.js';
import type { RunAbortedError, RunStop } from './stop.js';

export interface Run {
  readonly job: Job;
  readonly rule: JobRule;
  /** Who asked for it; null when its time had come. */
  readonly user: string | null;
  readonly stop: RunStop;
  readonly log: JobLog;
}

/** The end of a run, as far as the job is concerned. */
export interface RunEnd {
  readonly outcome: Outcome;
  /** What did not react to its signal and may still be going on in this process; settles when it has ended. */
  readonly left: Promise<void> | null;
}

/** How long a run may take to end that was asked to. */
export function graceOf({ rule }: Pick<Run, 'rule'>, reason: RunAbortedError): number {
  const graceMs = rule.policies.graceSeconds * 1000;
  return reason.graceMs === null ? graceMs : Math.min(reason.graceMs, graceMs);
}
