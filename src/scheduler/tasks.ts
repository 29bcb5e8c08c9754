// The tasks of a site: polls, starts what is due or requested, and reports the state of the rules.

import type { ChoiceList } from '../base/choices.js';
import type { SteadyClock } from '../base/clock.js';
import type { Logger } from '../log/logger.js';
import { presenceOfOthers, registeredAmong } from '../membership/registered-procedures.js';
import { lateAfterMs } from '../rules/ledger-entry.js';
import type { Procedure } from '../rules/procedure.js';
import type { JobRule } from '../rules/rule.js';
import type { Rules, SyncReport } from '../rules/site-rules.js';
import type { Job } from '../runs/job.js';
import type { Jobs } from '../runs/job-table.js';
import type { JobRunner } from '../runs/runner.js';
import { transact } from '../store/transact.js';
import { ActiveRuns, type RunsWatch } from './active-runs.js';
import type { View } from './batch.js';
import type { Claimer, Claims } from './claim.js';
import { ClockSteps } from './clock-steps.js';
import { Delays } from './delays.js';
import { type PendingWork, readDue, readPendingWork } from './due.js';
import type { Ends } from './finish.js';
import { type JobRequest, nothingRan, type Requests } from './requests.js';
import { statusLine } from './status.js';

export interface TasksContext {
  readonly rules: Rules;
  readonly jobs: Jobs;
  readonly requests: Requests;
  readonly claimer: Claimer;
  readonly ends: Ends;
  readonly runner: JobRunner;
  readonly procedures: ChoiceList<Procedure>;
  readonly clock: SteadyClock;
  /** Adjusts `clock` after this machine's clock was set, where `clock` follows the database's. */
  readonly adjustClock: () => Promise<void>;
  readonly logger: Logger;
  /** Maximum of concurrent jobs, which is the number of slots. */
  readonly maxJobs: number;
  readonly watch?: RunsWatch;
  /** Called when a run has ended and something may start because of that. */
  readonly onSlotFree?: () => void;
}

/** The longest time between polls. */
const idleMs = 60_000;
/** The time between polls while something waits for a run on another worker. */
const waitMs = 1000;
/** A worker that was suspended for longer than this during a claim may have lost its jobs to others. */
const doubtMs = 5000;
/** Maximum of rules or requests per transaction. */
const claimAtOnce = 100;

/** The state of one poll. */
interface Poll {
  /** When the poll began, in ms since 1970. It decides about what is due by then. */
  readonly at: number;
  /** By group: why something waits for it. */
  readonly groupWaits: Map<string, string>;
  /** Whether something waits for the end of a run, perhaps on another worker. */
  waits: boolean;
  waitsForSlot: boolean;
  isDueAgain: boolean;
}

/** The original's `Tasks`: `setup` at start, `run` for each poll, `status` for people. */
export class Tasks {
  readonly #context: TasksContext;
  readonly #runs: ActiveRuns;
  readonly #delays = new Delays();
  /** Jobs that were cancelled so that the next run of their rule can start. */
  readonly #asked = new Set<number>();
  #steps: ClockSteps;
  #pollingSince: number;
  /** Whether another worker with a procedure was running at an instant; null until read. */
  #otherWorkersRanAt: View['workerRanAt'] | null = null;
  /** Whether the last poll failed, so that a committed claim may not have been begun. */
  #pollFailed = false;
  /** Whether something may start when a run ends. True during a poll, when it is not known. */
  #isAwaited = true;
  /** Whether `onSlotFree` is about to be called. */
  #isNotifying = false;

  constructor(context: TasksContext) {
    const { clock } = context;
    this.#context = context;
    this.#pollingSince = clock.now();
    this.#steps = new ClockSteps(clock);
    this.#runs = new ActiveRuns({ ...context, onEnd: (jobId, wakes) => this.#onEnd(jobId, wakes) });
  }

  /** Adjusts the rules to the registered procedures; see {@link Rules.sync}. */
  async setup(options: { readonly isComplete?: boolean } = {}): Promise<SyncReport> {
    // The sync visits all rules, so earlier steps of the clock no longer matter.
    this.#steps = new ClockSteps(this.#context.clock);
    return await this.#context.rules.sync(this.#context.procedures, options);
  }

  /**
   * One poll: starts what is due and what was requested, as far as there are slots. Does not wait for the
   * runs; see {@link settled}.
   *
   * @returns when to poll again, unless `onSlotFree` is called before
   */
  async run(): Promise<Date> {
    const { clock } = this.#context;
    await this.#handleClockStep();
    if (this.#pollFailed) {
      this.#delays.wasAway(clock.now());
      await this.#beginNotBegun();
    }
    this.#pollFailed = true;
    this.#isAwaited = true;
    this.#otherWorkersRanAt ??= await presenceOfOthers(this.#context.rules.db, this.#context.rules.actor);
    const groupWaits = new Map<string, string>();
    const poll = { at: clock.now(), groupWaits, waits: false, waitsForSlot: false, isDueAgain: false };
    let pending = await readPendingWork(this.#context.rules.db, poll.at);
    if (pending.cancels !== null) await this.#takeCancellations();
    if (pending.asks !== null) await this.#takeRequests(poll);
    if (pending.dues !== null) await this.#takeDue(poll);
    this.#pollFailed = false;
    // The claims have moved due times into the future.
    if (pending.dues !== null) pending = await readPendingWork(this.#context.rules.db, poll.at);
    this.#isAwaited = poll.waits || poll.waitsForSlot;
    this.#delays.polledAt(poll.at, poll);
    return new Date(Math.max(clock.now(), nextPollTime(poll, pending)));
  }

  /**
   * The poll of a paused worker: it only cancels runs.
   *
   * @returns when to poll again
   */
  async runPaused(): Promise<Date> {
    await this.#takeCancellations();
    return new Date(this.#context.clock.now() + idleMs);
  }

  /** One line per rule, in the original's format. */
  async status(): Promise<string[]> {
    const [rules, running] = await Promise.all([this.#context.rules.list(), this.#context.jobs.running()]);
    const jobOf = new Map(running.reverse().map((job) => [job.ruleId, job]));
    const now = this.#context.clock.now();
    const all = rules.map(({ procedure }) => procedure);
    const registered = await registeredAmong(this.#context.rules.db, all);
    return rules.map((rule) =>
      statusLine(rule, jobOf.get(rule.id), now, registered.size === 0 || registered.has(rule.procedure)),
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
    return this.#runs.jobs;
  }

  /** Waits until no job runs in this worker, or until the signal is aborted. */
  async settled(signal?: AbortSignal): Promise<void> {
    await this.#runs.settled(signal);
  }

  /** Called before the first poll. Due times before this instant are late because no worker polled. */
  startPolling(): void {
    this.#pollingSince = this.#context.clock.now();
    this.#otherWorkersRanAt = null;
    this.#runs.reopen();
  }

  /** Asks all runs of this worker to end; see {@link ActiveRuns.abortAll}. */
  abortAll(why: string, patienceMs?: number): void {
    this.#runs.abortAll(why, patienceMs);
  }

  /** After the clock was set back, computes all due times again: the old ones are too far ahead. */
  async #handleClockStep(): Promise<void> {
    // When only this machine's clock was set, the adjusted clock shows no step.
    if (this.#steps.isSet) await this.#context.adjustClock();
    const step = this.#steps.detect();
    if (step === null) return;
    const { logger, rules } = this.#context;
    if (step.to > step.from) {
      logger.warning(`${step.why}; due times in between are late`);
      this.#delays.wasSetForward(step);
      return;
    }
    logger.warning(`${step.why}; all due times are computed again`);
    this.#delays.wasSetBack(step.to);
    await rules.realign(step.why);
  }

  async #beginNotBegun(): Promise<void> {
    const begun = this.#runs.jobs.map(({ id }) => id);
    for (const claimed of await this.#context.claimer.notBegun(begun)) this.#runs.begin(claimed);
  }

  async #takeCancellations(): Promise<void> {
    for (const request of await this.#context.requests.cancellations()) await this.#cancelRuns(request);
  }

  /** The worker that runs the job handles the request. When no worker runs it, any worker does. */
  async #cancelRuns(request: JobRequest): Promise<void> {
    const { jobs } = this.#context;
    const { ofJob, ruleId } = request;
    const isMeant = (job: Job) => (ofJob === null ? job.ruleId === ruleId : job.id === ofJob);
    const mine = this.#runs.jobs.filter(isMeant);
    if (mine.length > 0) {
      const asked = mine.map(({ id }) => id).join(', ');
      if (!(await this.#handleCancel(request, `job ${asked} is asked to end`))) return;
      for (const { id } of mine) this.#runs.cancel(id, `cancelled by ${request.requestedBy}`);
      return;
    }
    const elsewhere = (await jobs.running()).some(isMeant);
    if (!elsewhere) await this.#handleCancel(request, nothingRan);
  }

  async #handleCancel(request: JobRequest, outcome: string): Promise<boolean> {
    const isHandled = await this.#context.requests.handleCancel(request, outcome);
    const { ruleId: rule, ofJob, requestedBy } = request;
    const what = ofJob === null ? `the end of job rule ${rule}'s runs` : `the end of job ${ofJob}`;
    if (isHandled) this.#context.logger.info(`${requestedBy} asked for ${what}: ${outcome}`, { rule });
    return isHandled;
  }

  async #takeRequests(poll: Poll): Promise<void> {
    const { claimer, requests } = this.#context;
    const read = (limit: number, offset: number) => requests.open(limit, offset);
    await this.#takeAll(poll, read, (open, view) => claimer.claimRequests(open, view));
  }

  async #takeDue(poll: Poll): Promise<void> {
    const { claimer, rules } = this.#context;
    const read = (limit: number, offset: number) => readDue(rules.db, { by: poll.at, limit, offset });
    await this.#takeAll(poll, read, (due, view) => claimer.claimDue(due, view));
  }

  /** Reads and claims in batches, until nothing more can be claimed. */
  async #takeAll<T extends { readonly procedure: string }>(
    poll: Poll,
    read: (limit: number, offset: number) => Promise<T[]>,
    claim: (found: readonly T[], view: View) => Promise<Claims>,
  ): Promise<void> {
    const { clock, procedures } = this.#context;
    let offset = 0;
    let limit = Math.min(this.#freeSlots + 1, claimAtOnce);
    for (; ; limit = claimAtOnce) {
      const found = await read(limit, offset);
      // During a deployment other workers may have procedures that this one lacks.
      const known = found.filter(({ procedure }) => procedures.has(procedure));
      offset += found.length - known.length;
      if (known.length > 0) {
        const since = clock.passed();
        const claims = await claim(known, this.#view(poll));
        await this.#carryOut(claims, poll, clock.passed() - since < doubtMs);
        offset += claims.remaining;
      }
      if (found.length < limit || poll.waitsForSlot) return;
    }
  }

  #view(poll: Poll): View {
    const { clock } = this.#context;
    const askedAt = clock.now();
    return {
      freeSlots: this.#freeSlots,
      pollingSince: this.#pollingSince,
      workerRanAt: (procedure, instant) =>
        this.#pollingSince <= instant || (this.#otherWorkersRanAt?.(procedure, instant) ?? false),
      groupWaits: poll.groupWaits,
      abandoned: this.#runs.abandoned,
      delayOf: (rule, dueAt) => {
        // The claim calls this once it has its locks.
        const now = clock.now();
        if (now - askedAt > lateAfterMs) this.#delays.wasLocked(askedAt, now);
        return this.#delays.of(rule, dueAt);
      },
    };
  }

  get #freeSlots(): number {
    return Math.max(0, this.#context.maxJobs - this.#runs.size);
  }

  async #carryOut(claims: Claims, poll: Poll, isSure: boolean): Promise<void> {
    const { logger, rules } = this.#context;
    for (const { rule } of claims.claimed) this.#delays.delete(rule.id);
    if (isSure) for (const claimed of claims.claimed) this.#runs.begin(claimed);
    else await this.#beginNotBegun();
    for (const { ruleId, detail } of claims.skipped)
      logger.debug(`job rule ${ruleId} skipped: ${detail}`, { rule: ruleId });
    for (const waiting of claims.waiting) {
      this.#delays.add(waiting);
      if (waiting.for === 'slot') poll.waitsForSlot = true;
      else poll.waits = true;
      if (waiting.for === 'group') poll.groupWaits.set(waiting.group, waiting.why);
    }
    poll.isDueAgain ||= claims.isDueAgain;
    for (const job of claims.cancel) this.#cancelForNext(job);
    for (const { rule, error } of claims.broken) {
      // An invalid rule must not stop the others.
      logger.error(`job rule ${rule} cannot be run and is cancelled: ${error.message}`, { rule });
      await transact(rules.db, async (tx) => await rules.cancelFailed(tx, rule, error.message));
    }
  }

  /** Cancels a run, so that the next run of its rule can start. */
  #cancelForNext(jobId: number): void {
    if (this.#asked.has(jobId)) return;
    this.#asked.add(jobId);
    const why = 'the next run of its rule';
    if (this.#runs.has(jobId)) this.#runs.cancel(jobId, `cancelled by ${why}`);
    // It runs on another worker, which polls the request. A failure is tried again at the next poll.
    else this.#context.requests.addCancel(jobId, why).catch(() => this.#asked.delete(jobId));
  }

  #onEnd(jobId: number, wakes: boolean): void {
    this.#asked.delete(jobId);
    if (wakes || this.#isAwaited) this.#notifySlotFree();
  }

  /** Calls `onSlotFree` once for all runs that ended together. */
  #notifySlotFree(): void {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    queueMicrotask(() => {
      this.#isNotifying = false;
      this.#context.onSlotFree?.();
    });
  }
}

/** When to poll again, in ms since 1970. */
function nextPollTime(
  { at, waits, waitsForSlot, isDueAgain }: Poll,
  { nextDue, nextAsked }: PendingWork,
): number {
  // The end of an own run wakes the caller. The end of another worker's run does not.
  if (waitsForSlot) return at + waitMs;
  if (isDueAgain) return at;
  return Math.min(nextDue ?? at + idleMs, nextAsked ?? at + idleMs, at + (waits ? waitMs : idleMs));
}
