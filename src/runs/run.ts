// One run, and its end.

import type { TraceKeys } from '../../channels/tracing/peer.js';
import type { JobRule } from '../rules/rule.js';
import type { Job, Outcome } from './job.js';
import type { JobLog } from './job-log.js';
import type { RunStop } from './run-stop.js';

/** What a procedure's run needs, inline, in a thread or in a process. */
export interface Run {
  readonly job: Job;
  readonly rule: JobRule;
  /** Who requested it; null for a due time. */
  readonly user: string | null;
  readonly stop: RunStop;
  /** Its span; null without traces. */
  readonly trace: TraceKeys | null;
  readonly log: JobLog;
  /** Called when its thread or process has loaded the site. */
  onBegun(): void;
}

/** How a run ended for its job. */
export interface RunEnd {
  readonly outcome: Outcome;
  /** Set when the run ignored its signal and still runs. Resolves when it has ended. */
  readonly abandoned: Promise<void> | null;
}
