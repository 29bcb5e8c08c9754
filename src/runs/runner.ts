// One run of a procedure: where it takes place, for how long at most, and what it logs.

import { durationText } from '../duration.js';
import type { LevelTree } from '../log/levels/level-tree.js';
import type { LogSink } from '../log/sink.js';
import type { Job } from '../tasks/job.js';
import { JobLog } from '../tasks/job-log.js';
import type { Jobs } from '../tasks/jobs.js';
import type { JobRule } from '../tasks/rule.js';
import { type InlineContext, runInline } from './inline.js';
import type { HostPool } from './pool.js';
import { runRemote } from './remote.js';
import type { RunEnd } from './run.js';
import { RunAbortedError, type RunStop } from './stop.js';
import { describeThrown } from './thrown.js';

export interface RunnerContext extends InlineContext {
  /** Where runs take place that do not on the worker's own event loop. */
  readonly pool: HostPool;
  /** Whether all do, whatever the rules say. */
  readonly alwaysInline: boolean;
  readonly jobs: Jobs;
  /** Where what the runs log goes, and the levels below which it is dropped. */
  readonly sink: LogSink;
  readonly levels: LevelTree;
}

export class JobRunner {
  readonly #context: RunnerContext;

  constructor(context: RunnerContext) {
    this.#context = context;
  }

  /**
   * Runs a job to its end and tells how it ended. Never rejects.
   *
   * @param stop asks the run to end before; its time-out is seen to here
   */
  async run(job: Job, rule: JobRule, user: string | null, stop: RunStop): Promise<RunEnd> {
    const { clock, jobs, sink, levels, alwaysInline } = this.#context;
    const timeoutMs = rule.policies.timeoutSeconds * 1000;
    const log = new JobLog({ job, jobs, sink, levels, ruleLevel: rule.logLevel, clock });
    const disarm = clock.after(timeoutMs, () =>
      stop.abort(new RunAbortedError('timeout', `ended at its time-out of ${durationText(timeoutMs)}`)),
    );
    try {
      const run = { job, rule, user, stop, log };
      const { runIn } = rule.policies;
      if (runIn === 'inline' || alwaysInline) return await runInline(run, this.#context);
      return await runRemote(run, runIn, this.#context);
    } catch (error) {
      return { outcome: { status: 'failed', message: describeThrown(error) }, left: null };
    } finally {
      disarm();
      stop.close();
      if (!log.isWritten) await log.close();
    }
  }
}
