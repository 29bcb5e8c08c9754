// The tasks of a site: what is due is run, what was asked for is done, and everyone can see how things stand.

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
import { ActiveRuns } from './active-runs.js';
import type { View } from './batch.js';
import type { Claimer, Claims } from './claim.js';
import { ClockSteps } from './clock-steps.js';
import { Delays } from './delays.js';
import { type Outlook, readDue, readOutlook } from './due.js';
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
  /** Has the clock go right again after it was set, where another one decides. */
  readonly adjustClock: () => Promise<void>;
  readonly logger: Logger;
  /** How many jobs run side by side. */
  readonly maxJobs: number;
  /** Called when a run has ended and something may begin because of that. */
  readonly onPlace?: () => void;
}

/** With nothing due at all, `run` wants to be called again after this long. */
const idleMs = 60_000;
/** Who waits for a run on another worker looks again after this long. */
const waitMs = 1000;
/** A worker that was suspended for longer than this in the middle of a claim may have lost its jobs to others. */
const doubtMs = 5000;
/** So many rules or requests are claimed in one transaction. */
const claimAtOnce = 100;

/** One poll, as far as it has come. */
interface Poll {
  /** When it began, in ms since 1970: what is due by then is decided upon. */
  readonly at: number;
  /** Why those wait that wait for a group. */
  readonly groupWaits: Map<string, string>;
  /** Whether something waits for the end of a run, which may be another worker's. */
  waits: boolean;
  waitsForSlot: boolean;
  isDueAgain: boolean;
}

/** The original's `Tasks`: `setup` at start, `run` whenever it says, `status` for people. */
export class Tasks {
  readonly #context: TasksContext;
  readonly #runs: ActiveRuns;
  readonly #delays = new Delays();
  /** Runs that were asked to end so that the next one can begin. */
  readonly #asked = new Set<number>();
  #steps: ClockSteps;
  #pollingSince: number;
  /** Whether others that have a procedure ran at an instant; null until it is read. */
  #otherWorkersRanAt: View['workerRanAt'] | null = null;
  /** Whether the database went away in the middle of a claim, so that it may know of a run that was not begun. */
  #isUnsure = false;
  /** Whether something may begin when a run ends. In doubt, as during a poll, it may. */
  #isAwaited = true;
  /** Whether the caller is about to be told that there is a slot. */
  #isTelling = false;

  constructor(context: TasksContext) {
    const { clock } = context;
    this.#context = context;
    this.#pollingSince = clock.now();
    this.#steps = new ClockSteps(clock);
    this.#runs = new ActiveRuns({ ...context, onEnd: (jobId, wakes) => this.#onEnd(jobId, wakes) });
  }

  /** Adjusts the rules to the registered procedures; see {@link Rules.sync}. */
  async setup(options: { readonly isComplete?: boolean } = {}): Promise<SyncReport> {
    // All rules are gone through, so that no earlier setting of the clock matters.
    this.#steps = new ClockSteps(this.#context.clock);
    return await this.#context.rules.sync(this.#context.procedures, options);
  }

  /**
   * Starts what is due and what was asked for, as far as there are slots. Does not wait for the runs: see
   * {@link settled}.
   *
   * @returns when to call it again, unless `onPlace` is called before
   */
  async run(): Promise<Date> {
    const { clock } = this.#context;
    await this.#noticeClockStep();
    if (this.#isUnsure) {
      this.#delays.wasAway(clock.now());
      await this.#beginUnbegun();
    }
    this.#isUnsure = true;
    this.#isAwaited = true;
    this.#otherWorkersRanAt ??= await presenceOfOthers(this.#context.rules.db, this.#context.rules.actor);
    const groupWaits = new Map<string, string>();
    const poll = { at: clock.now(), groupWaits, waits: false, waitsForSlot: false, isDueAgain: false };
    let outlook = await readOutlook(this.#context.rules.db, poll.at);
    if (outlook.cancels !== null) await this.#takeCancellations();
    if (outlook.asks !== null) await this.#takeRequests(poll);
    if (outlook.dues !== null) await this.#takeDue(poll);
    this.#isUnsure = false;
    // What was claimed is due later now.
    if (outlook.dues !== null) outlook = await readOutlook(this.#context.rules.db, poll.at);
    this.#isAwaited = poll.waits || poll.waitsForSlot;
    this.#delays.polledAt(poll.at, poll);
    return new Date(Math.max(clock.now(), nextTime(poll, outlook)));
  }

  /**
   * Ends what runs and is to end, and takes up nothing else: for a worker that is paused.
   *
   * @returns when to call it again
   */
  async attend(): Promise<Date> {
    await this.#takeCancellations();
    return new Date(this.#context.clock.now() + idleMs);
  }

  /** A line for each rule, as in the original, and in words what became of it if it is not simply waiting. */
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

  /** From now on the rules are polled: what was due before is late for that reason. */
  begin(): void {
    this.#pollingSince = this.#context.clock.now();
    this.#otherWorkersRanAt = null;
    this.#runs.reopen();
  }

  /** Asks all runs of this worker to end; see {@link ActiveRuns.abortAll}. */
  abortAll(why: string, patienceMs?: number): void {
    this.#runs.abortAll(why, patienceMs);
  }

  /** When the clock was set back, rules would wait for times that lie far ahead now. */
  async #noticeClockStep(): Promise<void> {
    // Mostly it is this machine's that was set. By that nothing is due.
    if (this.#steps.isSet) await this.#context.adjustClock();
    const step = this.#steps.look();
    if (step === null) return;
    const { logger, rules } = this.#context;
    if (step.to > step.from) {
      logger.warning(`${step.told}; what would have been due meanwhile is late`);
      this.#delays.wasSetForward(step);
      return;
    }
    logger.warning(`${step.told}; when the rules are due is worked out anew`);
    this.#delays.wasSetBack(step.to);
    await rules.realign(step.told);
  }

  async #beginUnbegun(): Promise<void> {
    const known = this.#runs.jobs.map(({ id }) => id);
    for (const claimed of await this.#context.claimer.unbegun(known)) this.#runs.begin(claimed);
  }

  async #takeCancellations(): Promise<void> {
    for (const request of await this.#context.requests.cancellations()) await this.#cancelRuns(request);
  }

  /** A request to end a run is for the worker that runs it; with no run there is nothing to end. */
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

  /** Reads and claims, a transaction's worth at a time, until all is claimed that can be. */
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
      // During a deployment another worker may know procedures that this one does not.
      const known = found.filter(({ procedure }) => procedures.has(procedure));
      offset += found.length - known.length;
      if (known.length > 0) {
        const since = clock.passed();
        const claims = await claim(known, this.#view(poll));
        await this.#carryOut(claims, poll, clock.passed() - since < doubtMs);
        offset += claims.left;
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
      left: this.#runs.left,
      delayOf: (rule, dueAt) => {
        // It is asked as soon as the claim has its locks.
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
    else await this.#beginUnbegun();
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
      // A rule that cannot be read stops itself, and no other.
      logger.error(`job rule ${rule} cannot be run and is cancelled: ${error.message}`, { rule });
      await transact(rules.db, async (tx) => await rules.cancelFailed(tx, rule, error.message));
    }
  }

  /** The next run of a rule is to begin, and does so when this one has ended. */
  #cancelForNext(jobId: number): void {
    if (this.#asked.has(jobId)) return;
    this.#asked.add(jobId);
    const why = 'the next run of its rule';
    if (this.#runs.has(jobId)) this.#runs.cancel(jobId, `cancelled by ${why}`);
    // On another worker, which hears of it. When it cannot be written, it is tried at the next poll.
    else this.#context.requests.addCancel(jobId, why).catch(() => this.#asked.delete(jobId));
  }

  #onEnd(jobId: number, wakes: boolean): void {
    this.#asked.delete(jobId);
    if (wakes || this.#isAwaited) this.#tellPlace();
  }

  /** Once for all runs whose ends were written together. */
  #tellPlace(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      this.#context.onPlace?.();
    });
  }
}

/** When to poll again. */
function nextTime({ at, waits, waitsForSlot, isDueAgain }: Poll, { nextDue, nextAsked }: Outlook): number {
  // What waits for a slot is polled when a run ends, which wakes the caller; other workers' runs do not.
  if (waitsForSlot) return at + waitMs;
  if (isDueAgain) return at;
  return Math.min(nextDue ?? at + idleMs, nextAsked ?? at + idleMs, at + (waits ? waitMs : idleMs));
}
