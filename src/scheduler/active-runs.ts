// The running jobs of this worker: begins them, cancels them, and writes how they ended.

import { aborted } from '../base/aborted.js';
import type { SteadyClock } from '../base/clock.js';
import type { Logger } from '../log/logger.js';
import type { JobRule } from '../rules/rule.js';
import type { Job, Outcome } from '../runs/job.js';
import type { RunEnd } from '../runs/run.js';
import { RunAbortedError, RunStop } from '../runs/run-stop.js';
import type { JobRunner } from '../runs/runner.js';
import { runSpan } from '../tracing/runs.js';
import type { AbandonedRun } from './batch.js';
import type { Claimed } from './claim.js';
import type { Ended, Ends } from './finish.js';

/** Sees the runs of this worker, for metrics. Must not throw. */
export interface RunsWatch {
  began(job: Job): void;
  /** The end is written. @param tookMs how long it ran */
  ended(rule: JobRule, status: Outcome['status'], tookMs: number): void;
}

export interface ActiveRunsContext {
  readonly watch?: RunsWatch;
  readonly runner: JobRunner;
  readonly ends: Ends;
  readonly logger: Logger;
  readonly clock: SteadyClock;
  /** A run has ended. @param wakes whether another run becomes due because of it */
  readonly onEnd: (jobId: number, wakes: boolean) => void;
}

interface ActiveRun extends Claimed {
  readonly stop: RunStop;
}

/** The delay between attempts to write an end while the database is away. It doubles up to the longest. */
const firstRetryMs = 250;
const longestRetryMs = 30_000;

export class ActiveRuns {
  readonly #context: ActiveRunsContext;
  readonly #runs = new Map<number, ActiveRun>();
  /** By job: runs that ignore their abort signal. Each keeps its slot, and its rule counts as running. */
  readonly #abandoned = new Map<number, AbandonedRun>();
  /** Callers of {@link settled}. */
  readonly #settling: Array<() => void> = [];
  #closing = false;

  constructor(context: ActiveRunsContext) {
    this.#context = context;
  }

  get jobs(): Job[] {
    return Array.from(this.#runs.values(), (run) => run.job);
  }

  get abandoned(): AbandonedRun[] {
    return [...this.#abandoned.values()];
  }

  /** The number of slots in use. */
  get size(): number {
    return this.#runs.size + this.#abandoned.size;
  }

  has(jobId: number): boolean {
    return this.#runs.has(jobId);
  }

  begin(claimed: Claimed): void {
    const { job, rule } = claimed;
    const { logger } = this.#context;
    if (logger.isEnabledFor('DEBUG'))
      logger.debug(`job ${job.id} of ${rule} started`, { rule: rule.id, job: job.id });
    const run = { ...claimed, stop: new RunStop() };
    this.#runs.set(job.id, run);
    this.#context.watch?.began(job);
    void this.#perform(run);
  }

  /** Cancels a job, if it runs here. */
  cancel(jobId: number, why: string): void {
    this.#runs.get(jobId)?.stop.abort(new RunAbortedError('cancelled', why));
  }

  /**
   * Aborts all runs and abandons those that have not ended after `patienceMs`. All of them count as lost.
   * Until {@link reopen}, an end that cannot be written is not tried again; another worker marks the job as
   * lost.
   */
  abortAll(why: string, patienceMs?: number): void {
    this.#closing = true;
    for (const run of this.#runs.values()) run.stop.abort(new RunAbortedError('lost', why, patienceMs));
  }

  /** Writes ends with retries again. */
  reopen(): void {
    this.#closing = false;
  }

  /** Waits until nothing runs, or until the signal is aborted. */
  async settled(signal?: AbortSignal): Promise<void> {
    while (this.#runs.size > 0 && !signal?.aborted) {
      const all = new Promise<void>((resolve) => this.#settling.push(resolve));
      await (signal === undefined ? all : Promise.race([all, aborted(signal)]));
    }
  }

  /** Never rejects. */
  async #perform(run: ActiveRun): Promise<void> {
    const { job, rule, user, stop, trace } = run;
    const { runner, clock } = this.#context;
    const since = clock.passed();
    const { procedure, attempt, runIn } = job;
    const span = runSpan({ procedure, rule: rule.id, job: job.id, attempt, runIn, trace });
    const perform = () => runner.run(job, rule, user, stop, span?.keys ?? null);
    const end: RunEnd = await (span === undefined ? perform() : span.run(perform));
    const { status, cause } = end.outcome;
    span?.end(status === 'done' ? undefined : (cause ?? status));
    if (end.abandoned !== null) this.#abandon(run, end.abandoned);
    await this.#finish(run, end.outcome, clock.passed() - since);
  }

  /** Writes the end, and tries again while the database is away, unless the worker stops. */
  async #finish(run: ActiveRun, outcome: Outcome, tookMs: number): Promise<void> {
    const { ends, logger, watch } = this.#context;
    const { job, rule } = run;
    for (let delayMs = firstRetryMs; ; delayMs = Math.min(2 * delayMs, longestRetryMs)) {
      try {
        const ended = await ends.finish(job, rule, outcome);
        if (ended.mine) watch?.ended(rule, outcome.status, tookMs);
        this.#forget(run, ended.wakes);
        this.#logEnd(job, rule, outcome, ended);
        return;
      } catch (error) {
        if (delayMs === firstRetryMs || this.#closing)
          logger.error(`cannot write that job ${job.id} is ${outcome.status}`, {
            rule: rule.id,
            job: job.id,
            error,
          });
      }
      if (this.#closing) {
        this.#forget(run, false);
        return;
      }
      await this.#pause(delayMs);
    }
  }

  #forget({ job }: ActiveRun, wakes: boolean): void {
    this.#runs.delete(job.id);
    this.#context.onEnd(job.id, wakes);
    if (this.#runs.size === 0) for (const resolve of this.#settling.splice(0)) resolve();
  }

  /** Keeps the slot of a run that has not ended, until it ends. */
  #abandon({ job, rule }: ActiveRun, ended: Promise<void>): void {
    this.#abandoned.set(job.id, { ruleId: rule.id, jobId: job.id, since: job.startDatetime.getTime() });
    void ended.then(() => {
      this.#abandoned.delete(job.id);
      this.#context.onEnd(job.id, true);
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#context.clock.after(ms, resolve);
    });
  }

  #logEnd(job: Job, rule: JobRule, { status, message }: Outcome, { mine, follows }: Ended): void {
    const { logger } = this.#context;
    const fields = { rule: rule.id, job: job.id };
    if (!mine) {
      logger.warning(
        `job ${job.id} is ${status}, but was marked as lost before; the end is not recorded`,
        fields,
      );
      return;
    }
    const level = status === 'done' ? 'DEBUG' : 'WARNING';
    if (!logger.isEnabledFor(level)) return;
    const headline = message.split('\n', 1)[0] ?? '';
    const text = `job ${job.id} of ${rule} ${status}: ${headline}`;
    logger.log(level, follows === '' ? text : `${text}; ${follows}`, fields);
  }
}
