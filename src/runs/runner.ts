// Runs a procedure for a job: inline, in a thread or in a process, with its timeout and its log.

import type { TraceKeys } from '../../channels/tracing/peer.js';
import { durationText } from '../base/duration.js';
import type { LevelTree } from '../log/levels/level-tree.js';
import type { LogSink } from '../log/sink.js';
import type { JobRule } from '../rules/rule.js';
import { type InlineContext, runInline } from './inline.js';
import type { Job } from './job.js';
import { JobLog } from './job-log.js';
import type { Jobs } from './job-table.js';
import type { HostPool } from './remote/pool.js';
import { runRemote } from './remote/remote-run.js';
import type { RunEnd } from './run.js';
import { describeThrown, RunAbortedError, type RunStop } from './run-stop.js';

export interface RunnerContext extends InlineContext {
  /** Threads and processes for runs that are not inline. */
  readonly pool: HostPool;
  /** Whether all runs are inline, whatever `runIn` says. */
  readonly alwaysInline: boolean;
  readonly jobs: Jobs;
  /** Receives the log records of the runs, from these levels on. */
  readonly sink: LogSink;
  readonly levels: LevelTree;
}

/** The time that a thread or a process has to load the site, in addition to the rule's timeout. */
const loadMs = 60_000;

export class JobRunner {
  readonly #context: RunnerContext;

  constructor(context: RunnerContext) {
    this.#context = context;
  }

  /**
   * Runs a job and returns how it ended. Never rejects.
   *
   * @param stop ends the run early; the timeout uses it, too
   * @param trace its span, for its thread or process
   */
  async run(
    job: Job,
    rule: JobRule,
    user: string | null,
    stop: RunStop,
    trace: TraceKeys | null = null,
  ): Promise<RunEnd> {
    const { clock, jobs, sink, levels, alwaysInline, site } = this.#context;
    const { redact } = site.settings;
    const timeoutMs = rule.policies.timeoutSeconds * 1000;
    const log = new JobLog({ job, jobs, sink, levels, redact, ruleLevel: rule.logLevel, clock });
    const { runIn: kind, memoryMb } = rule.policies;
    const isInline = kind === 'inline' || alwaysInline;
    const endAfter = (ms: number, text: string) =>
      clock.after(ms, () => stop.abort(new RunAbortedError('timeout', `${text} ${durationText(ms)}`)));
    const allow = () => endAfter(timeoutMs, 'ended at its timeout of');
    let disarm = isInline ? allow() : endAfter(Math.max(loadMs, timeoutMs), 'the site was not loaded within');
    const onBegun = () => {
      disarm();
      disarm = allow();
    };
    try {
      const run = { job, rule, user, stop, log, trace, onBegun };
      if (isInline) return await runInline(run, this.#context);
      return await runRemote(run, { kind, memoryMb }, this.#context);
    } catch (error) {
      return { outcome: { status: 'failed', message: describeThrown(error) }, abandoned: null };
    } finally {
      disarm();
      stop.close();
      if (!log.isWritten) await log.close();
    }
  }
}
