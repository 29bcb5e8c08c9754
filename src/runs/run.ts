// One run, and its end.

import type { JobRule } from '../rules/rule.js';
import type { Job, Outcome } from './job.js';
import type { JobLog } from './job-log.js';
import type { RunStop } from './run-stop.js';

/** One run, as the places where it may go on are given it. */
export interface Run {
  readonly job: Job;
  readonly rule: JobRule;
  /** Who asked for it; null when its time had come. */
  readonly user: string | null;
  readonly stop: RunStop;
  readonly log: JobLog;
  /** Called when its thread or process has loaded the site. */
  onBegun(): void;
}

/** The end of a run, as far as the job is concerned. */
export interface RunEnd {
  readonly outcome: Outcome;
  /** What did not react to its signal and may still be going on in this process; settles when it has ended. */
  readonly left: Promise<void> | null;
}
