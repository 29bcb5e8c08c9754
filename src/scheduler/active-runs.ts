// The runs of this worker: begun, asked to end, and their ends written.

import type { SteadyClock } from '../base/clock.js';
import type { Logger } from '../log/logger.js';
import type { JobRule } from '../rules/rule.js';
import type { Job, Outcome } from '../runs/job.js';
import type { RunEnd } from '../runs/run.js';
import { RunAbortedError, RunStop } from '../runs/run-stop.js';
import type { JobRunner } from '../runs/runner.js';
import type { LeftRun } from './batch.js';
import type { Claimed } from './claim.js';
import type { Ended, Ends } from './finish.js';

export interface ActiveRunsContext {
  readonly runner: JobRunner;
  readonly ends: Ends;
  readonly logger: Logger;
  readonly clock: SteadyClock;
  /** A run has ended. @param wakes whether something is to be run because of it */
  readonly onEnd: (jobId: number, wakes: boolean) => void;
}

interface ActiveRun extends Claimed {
  readonly stop: RunStop;
}

/** Waiting between attempts to write how a run ended, when the database is away: doubled up to the longest. */
const firstRetryMs = 250;
const longestRetryMs = 30_000;

export class ActiveRuns {
  readonly #context: ActiveRunsContext;
  readonly #runs = new Map<number, ActiveRun>();
  /** By job: what was given up and did not end. It keeps its slot, and its rule is still running. */
  readonly #left = new Map<number, LeftRun>();
  /** Those who wait until nothing runs. */
  readonly #settling: Array<() => void> = [];
  #closing = false;

  constructor(context: ActiveRunsContext) {
    this.#context = context;
  }

  get jobs(): Job[] {
    return Array.from(this.#runs.values(), (run) => run.job);
  }

  get left(): LeftRun[] {
    return [...this.#left.values()];
  }

  /** How many slots are taken. */
  get size(): number {
    return this.#runs.size + this.#left.size;
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
    void this.#perform(run);
  }

  /** Asks a run to end, if it is one of these. */
  cancel(jobId: number, why: string): void {
    this.#runs.get(jobId)?.stop.abort(new RunAbortedError('cancelled', why));
  }

  /**
   * Asks all runs to end; they do, or are given up after `patienceMs`. Either way they are lost. From then on a database
   * that is away is not waited for: who comes next gives up such a job.
   */
  abortAll(why: string, patienceMs?: number): void {
    this.#closing = true;
    for (const run of this.#runs.values()) run.stop.abort(new RunAbortedError('lost', why, patienceMs));
  }

  /** Ends are waited for again. */
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
    const { job, rule, user, stop } = run;
    const end: RunEnd = await this.#context.runner.run(job, rule, user, stop);
    if (end.left !== null) this.#leave(run, end.left);
    await this.#finish(run, end.outcome);
  }

  /** A database that is away is waited for, unless the worker stops. */
  async #finish(run: ActiveRun, outcome: Outcome): Promise<void> {
    const { ends, logger } = this.#context;
    const { job, rule } = run;
    for (let delayMs = firstRetryMs; ; delayMs = Math.min(2 * delayMs, longestRetryMs)) {
      try {
        const ended = await ends.finish(job, rule, outcome);
        this.#forget(run, ended.wakes);
        this.#tellEnd(job, rule, outcome, ended);
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

  /** Remembers what did not end, until it does. */
  #leave({ job, rule }: ActiveRun, left: Promise<void>): void {
    this.#left.set(job.id, { ruleId: rule.id, jobId: job.id, since: job.startDatetime.getTime() });
    void left.then(() => {
      this.#left.delete(job.id);
      this.#context.onEnd(job.id, true);
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#context.clock.after(ms, resolve);
    });
  }

  #tellEnd(job: Job, rule: JobRule, { status, message }: Outcome, { mine, follows }: Ended): void {
    const { logger } = this.#context;
    const fields = { rule: rule.id, job: job.id };
    if (!mine) {
      logger.warning(`job ${job.id} had been given up as lost; that it is ${status} is not recorded`, fields);
      return;
    }
    const level = status === 'done' ? 'DEBUG' : 'WARNING';
    if (!logger.isEnabledFor(level)) return;
    const headline = message.split('\n', 1)[0] ?? '';
    const told = `job ${job.id} of ${rule} ${status}: ${headline}`;
    logger.log(level, follows === '' ? told : `${told}; ${follows}`, fields);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
