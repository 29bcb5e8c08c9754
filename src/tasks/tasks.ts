// The tasks of a site: what is due is run, what was asked for is done, and everyone can see how things stand.

import type { ChoiceList } from '../choices.js';
import type { Clock } from '../clock.js';
import type { Logger } from '../log/logger.js';
import type { Procedure } from '../procedure.js';
import type { Job } from './job.js';
import type { Claim, JobRequest, Jobs, Outcome } from './jobs.js';
import type { JobRule } from './rule.js';
import { isFaultOfRule, type Rules, type SyncReport } from './rules.js';
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
/** Waiting between attempts to write how a run ended, when the database is away: doubled up to the longest. */
const firstRetryMs = 250;
const longestRetryMs = 30_000;
/** A clock that goes back by less than this is merely being corrected. */
const clockStepMs = 1000;

/** The original's `Tasks`: `setup` at start, `run` whenever it says, `status` for people. */
export class Tasks {
  readonly #context: TasksContext;
  readonly #runs = new Map<number, Run>();
  /** Rules that were due when there was no place; the ledger tells it when they start. */
  readonly #waiting = new Set<number>();
  /** By rule: what was given up and did not end. It keeps its place, and its rule is still running. */
  readonly #left = new Map<number, { readonly jobId: number; readonly since: number }>();
  #lookingSince: number;
  #lastLook: number;
  #closing = false;
  /** Whether the database went away in the middle of a claim, so that it may know of a run that was not begun. */
  #isUnsure = false;

  constructor(context: TasksContext) {
    this.#context = context;
    this.#lookingSince = context.clock.now();
    this.#lastLook = this.#lookingSince;
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
    await this.#noticeClockStep();
    const procedures = Array.from(this.#context.procedures, (procedure) => procedure.name);
    if (this.#isUnsure) await this.#takeUnbegun();
    this.#isUnsure = true;
    await this.#takeRequests(procedures);
    await this.#takeDue(procedures);
    this.#isUnsure = false;
    // Without a place there is nothing to do until a run ends, which wakes the caller.
    const next = this.#hasPlace ? await this.#context.jobs.nextDue(procedures) : null;
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
        this.#context.clock.now(),
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

  /** From now on the rules are looked at: what was due before is late for that reason. */
  begin(): void {
    this.#lookingSince = this.#context.clock.now();
    this.#closing = false;
  }

  /**
   * Asks all runs of this worker to end; they do, or are given up after `patienceMs`. From then on a database that is
   * away is not waited for: who comes next finds such a job lost.
   */
  abortAll(why: string, patienceMs?: number): void {
    this.#closing = true;
    for (const run of this.#runs.values()) run.abort.abort(new RunAbortedError('cancelled', why, patienceMs));
  }

  /** When the clock was set back, rules would wait for times that lie far ahead now. */
  async #noticeClockStep(): Promise<void> {
    const now = this.#context.clock.now();
    const isBack = now < this.#lastLook - clockStepMs;
    this.#lastLook = now;
    if (!isBack) return;
    this.#context.logger.warning('the clock was set back; when the rules are due is worked out anew');
    await this.#context.rules.realign();
  }

  async #takeUnbegun(): Promise<void> {
    for (const claim of await this.#context.jobs.unbegun([...this.#runs.keys()])) {
      this.#start(claim, claim.user);
    }
  }

  async #takeRequests(procedures: readonly string[]): Promise<void> {
    const { jobs } = this.#context;
    for (const request of await jobs.openRequests(procedures)) {
      if (request.action === 'cancel') await this.#cancelRun(request);
      else if (this.#hasPlace && !this.#left.has(request.ruleId)) {
        this.#start(await jobs.claimRequest(request), request.requestedBy);
      }
    }
  }

  /** A request to end a run is for the worker that runs it; with no run there is nothing to end. */
  async #cancelRun(request: JobRequest): Promise<void> {
    const { jobs } = this.#context;
    const mine = Array.from(this.#runs.values()).find((run) => run.rule.id === request.ruleId);
    if (mine !== undefined) {
      if (!(await jobs.handleCancel(request, `job ${mine.job.id} is asked to end`))) return;
      mine.abort.abort(new RunAbortedError('cancelled', `cancelled by ${request.requestedBy}`));
      return;
    }
    const elsewhere = (await jobs.running()).some((job) => job.ruleId === request.ruleId);
    if (!elsewhere) await jobs.handleCancel(request, 'nothing was running');
  }

  async #takeDue(procedures: readonly string[]): Promise<void> {
    const due = await this.#context.jobs.due(procedures, 100);
    for (const id of this.#waiting) if (!due.some((rule) => rule.id === id)) this.#waiting.delete(id);
    for (const { id, dueAt } of due) {
      const isRunningHere =
        this.#left.has(id) || Array.from(this.#runs.values()).some((run) => run.rule.id === id);
      if (this.#hasPlace || isRunningHere) await this.#takeOne(id, dueAt);
      else this.#waiting.add(id);
    }
  }

  /** A rule that cannot be read stops itself, and no other. */
  async #takeOne(id: number, dueAt: number): Promise<void> {
    const { jobs, rules, logger } = this.#context;
    const circumstances = {
      lookingSince: this.#lookingSince,
      waitedForPlace: this.#waiting.delete(id),
      running: this.#left.get(id) ?? null,
    };
    try {
      this.#start(await jobs.claimDue(id, dueAt, circumstances), null);
    } catch (error) {
      if (!isFaultOfRule(error)) throw error;
      logger.error(`job rule ${id} cannot be run and is cancelled: ${error.message}`, { rule: id });
      await rules.cancelBroken(id, error.message);
    }
  }

  get #hasPlace(): boolean {
    return this.#runs.size + this.#left.size < this.#context.maxJobs;
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
    const { runner, onPlace } = this.#context;
    const { outcome, left } = await runner.run(job, rule, user, signal);
    if (left !== null) this.#leave(job, rule, left);
    await this.#finish(job, rule, outcome);
    this.#runs.delete(job.id);
    onPlace?.();
  }

  /** Remembers what did not end, until it does. */
  #leave(job: Job, rule: JobRule, left: Promise<void>): void {
    const entry = { jobId: job.id, since: job.startDatetime.getTime() };
    this.#left.set(rule.id, entry);
    void left.then(() => {
      if (this.#left.get(rule.id) === entry) this.#left.delete(rule.id);
      this.#context.onPlace?.();
    });
  }

  /** Never rejects: a database that is away is waited for, unless the worker stops. */
  async #finish(job: Job, rule: JobRule, outcome: Outcome): Promise<void> {
    const { jobs, logger, clock } = this.#context;
    const fields = { rule: rule.id, job: job.id };
    for (let delayMs = firstRetryMs; ; delayMs = Math.min(2 * delayMs, longestRetryMs)) {
      try {
        const mine = await jobs.finish(job, rule, outcome);
        if (mine) this.#tellEnd(job, rule, outcome);
        else {
          const lost = `job ${job.id} had been given up as lost; that it is ${outcome.status} is not recorded`;
          logger.warning(lost, fields);
        }
        return;
      } catch (error) {
        const what = `cannot write that job ${job.id} is ${outcome.status}`;
        if (delayMs === firstRetryMs || this.#closing) logger.error(what, { ...fields, error });
        if (this.#closing) return;
        await new Promise<void>((resolve) => clock.after(delayMs, resolve));
      }
    }
  }

  #tellEnd(job: Job, rule: JobRule, outcome: Outcome): void {
    const fields = { rule: rule.id, job: job.id };
    const headline = outcome.message.split('\n', 1)[0] ?? '';
    const told = `job ${job.id} of ${rule} ${outcome.status}: ${headline}`;
    const isCancelled =
      ['failed', 'timeout'].includes(outcome.status) && rule.policies.onFailure === 'cancel';
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
