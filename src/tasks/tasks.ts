// The tasks of a site: what is due is run, what was asked for is done, and everyone can see how things stand.

import type { ChoiceList } from '../choices.js';
import type { Clock } from '../clock.js';
import type { Logger } from '../log/logger.js';
import type { Procedure } from '../procedure.js';
import type { Job } from './job.js';
import type { Claim, JobRequest, Jobs, Outcome } from './jobs.js';
import type { JobRule } from './rule.js';
import type { Rules, SyncReport } from './rules.js';
import { type JobRunner, RunAbortedError } from './runner.js';
import { statusLine } from './status.js';

export interface TasksContext {
  readonly rules: Rules;
  readonly jobs: Jobs;
  readonly runner: JobRunner;
  readonly procedures: ChoiceList<Procedure>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many jobs run side by side. */
  readonly maxJobs: number;
  /** Called when a run has ended, so that there is a place again. */
  readonly onPlace?: () => void;
}

interface Run {
  readonly job: Job;
  readonly rule: JobRule;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** With nothing due at all, `run` wants to be called again after this long. */
const idleMs = 60_000;
/** Waiting between attempts to write how a run ended, when the database is away. */
const retryMs = 1000;

/** The original's `Tasks`: `setup` at start, `run` whenever it says, `status` for people. */
export class Tasks {
  readonly #context: TasksContext;
  readonly #runs = new Map<number, Run>();
  /** Rules that were due when there was no place; the ledger tells it when they start. */
  readonly #waiting = new Set<number>();
  readonly #lookingSince: number;

  constructor(context: TasksContext) {
    this.#context = context;
    this.#lookingSince = context.clock.now();
  }

  /** Adjusts the rules to the registered procedures; see {@link Rules.sync}. */
  async setup(): Promise<SyncReport> {
    return await this.#context.rules.sync(this.#context.procedures);
  }

  /**
   * Starts what is due and what was asked for, as far as there are places. Does not wait for the runs: see
   * {@link settled}.
   *
   * @returns when to call it again. When a run ends before, a place is free before.
   */
  async run(): Promise<Date> {
    await this.#takeRequests();
    await this.#takeDue();
    // Without a place there is nothing to do until a run ends, which wakes the caller.
    const next = this.#hasPlace ? await this.#context.jobs.nextDue() : null;
    const now = this.#context.clock.now();
    return new Date(Math.max(now, Math.min(next ?? Number.POSITIVE_INFINITY, now + idleMs)));
  }

  /** A line for each rule, as in the original, and in words what became of it if it is not simply waiting. */
  async status(): Promise<string[]> {
    const [rules, running] = await Promise.all([this.#context.rules.list(), this.#context.jobs.running()]);
    return rules.map((rule) =>
      statusLine(
        rule,
        running.find((job) => job.ruleId === rule.id),
      ),
    );
  }

  /** Makes one more rule for a procedure. */
  async createRule(procedure: Procedure, name?: string): Promise<JobRule> {
    return await this.#context.rules.create(procedure, name);
  }

  /** Marks a rule cancelled: it is ignored until it is resumed. */
  async cancel(rule: JobRule): Promise<JobRule> {
    return await this.#context.rules.cancel(rule.id);
  }

  /** The jobs that run in this worker. */
  get running(): Job[] {
    return Array.from(this.#runs.values(), (run) => run.job);
  }

  /** Waits until no job runs in this worker, or until the signal is aborted. */
  async settled(signal?: AbortSignal): Promise<void> {
    while (this.#runs.size > 0 && !signal?.aborted) {
      const all = Promise.all(Array.from(this.#runs.values(), (run) => run.done));
      await (signal === undefined ? all : Promise.race([all, aborted(signal)]));
    }
  }

  /** Asks all runs of this worker to end; they do, or are given up, a few seconds later. */
  abortAll(why: string): void {
    for (const run of this.#runs.values()) run.abort.abort(new RunAbortedError('cancelled', why));
  }

  async #takeRequests(): Promise<void> {
    for (const request of await this.#context.jobs.openRequests()) {
      if (request.action === 'cancel') await this.#cancelRun(request);
      else if (this.#hasPlace)
        this.#start(await this.#context.jobs.claimRequest(request), request.requestedBy);
    }
  }

  /** A request to end a run is for the worker that runs it; with no run there is nothing to end. */
  async #cancelRun(request: JobRequest): Promise<void> {
    const { jobs } = this.#context;
    const mine = Array.from(this.#runs.values()).find((run) => run.rule.id === request.ruleId);
    if (mine !== undefined) {
      if (!(await jobs.handleRequest(request.id, `job ${mine.job.id} aborted`))) return;
      mine.abort.abort(new RunAbortedError('cancelled', `cancelled by ${request.requestedBy}`));
      return;
    }
    const elsewhere = (await jobs.running()).some((job) => job.ruleId === request.ruleId);
    if (!elsewhere) await jobs.handleRequest(request.id, 'nothing was running');
  }

  async #takeDue(): Promise<void> {
    const { jobs } = this.#context;
    const due = await jobs.due(100);
    for (const { id, dueAt } of due) {
      const isRunningHere = Array.from(this.#runs.values()).some((run) => run.rule.id === id);
      if (!this.#hasPlace && !isRunningHere) {
        this.#waiting.add(id);
        continue;
      }
      const waitedForPlace = this.#waiting.delete(id);
      this.#start(await jobs.claimDue(id, dueAt, { lookingSince: this.#lookingSince, waitedForPlace }), null);
    }
  }

  get #hasPlace(): boolean {
    return this.#runs.size < this.#context.maxJobs;
  }

  #start(claim: Claim, user: string | null): void {
    if (claim.kind === 'gone') return;
    const { rule, decision } = claim;
    const logger = this.#context.logger;
    if (claim.kind === 'skipped') {
      logger.debug(`${rule} skipped: ${decision.detail}`, { rule: rule.id });
      return;
    }
    const { job } = claim;
    const late = decision.reason === 'late' ? ` late ${decision.detail}` : '';
    logger.debug(`job ${job.id} of ${rule} started${late}`, { rule: rule.id, job: job.id });
    const abort = new AbortController();
    const done = this.#perform(job, rule, user, abort.signal);
    this.#runs.set(job.id, { job, rule, abort, done });
  }

  async #perform(job: Job, rule: JobRule, user: string | null, signal: AbortSignal): Promise<void> {
    const { runner, jobs, logger, clock, onPlace } = this.#context;
    const outcome = await runner.run(job, rule, user, signal);
    const fields = { rule: rule.id, job: job.id };
    for (;;) {
      try {
        const mine = await jobs.finish(job, rule, outcome);
        if (mine) this.#tellEnd(job, rule, outcome);
        else
          logger.warning(
            `job ${job.id} had been given up as lost; that it is ${outcome.status} is not recorded`,
            fields,
          );
        break;
      } catch (error) {
        logger.error(`cannot write that job ${job.id} is ${outcome.status}; trying again`, {
          ...fields,
          error,
        });
        await new Promise<void>((resolve) => clock.after(retryMs, resolve));
      }
    }
    this.#runs.delete(job.id);
    onPlace?.();
  }

  #tellEnd(job: Job, rule: JobRule, outcome: Outcome): void {
    const fields = { rule: rule.id, job: job.id };
    const headline = outcome.message.split('\n', 1)[0] ?? '';
    const told = `job ${job.id} of ${rule} ${outcome.status}: ${headline}`;
    const isCancelled = ['failed', 'timeout'].includes(outcome.status) && rule.onFailure === 'cancel';
    const level = outcome.status === 'done' ? 'DEBUG' : 'WARNING';
    this.#context.logger.log(level, isCancelled ? `${told}; the rule is cancelled by that` : told, fields);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
