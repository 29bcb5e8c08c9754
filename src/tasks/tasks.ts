// The tasks of a site: what is due is run, what was asked for is done, and everyone can see how things stand.

import type { ChoiceList } from '../choices.js';
import type { SteadyClock } from '../clock.js';
import type { Logger } from '../log/logger.js';
import type { Period } from '../membership/switch-offs.js';
import type { Procedure } from '../procedure.js';
import { type HostNeeds, hostKey } from '../runs/host.js';
import type { HostPool } from '../runs/pool.js';
import type { RunEnd } from '../runs/run.js';
import type { JobRunner } from '../runs/runner.js';
import { RunAbortedError, RunStop } from '../runs/stop.js';
import type { Blocked } from './blocked.js';
import {
  type Claimed,
  type Claimer,
  type Claims,
  type Left,
  largestClaim,
  type View,
  type Waiting,
} from './claims.js';
import { ClockSteps } from './clock-steps.js';
import type { Ends } from './ends.js';
import { Hindrances } from './hindrances.js';
import type { Job, Outcome } from './job.js';
import type { Jobs } from './jobs.js';
import type { JobRequest, OpenRequest, Requests } from './requests.js';
import type { JobRule } from './rule.js';
import type { Rules, SyncReport } from './rules.js';
import { statusLine } from './status.js';

export interface TasksContext {
  readonly rules: Rules;
  readonly jobs: Jobs;
  readonly requests: Requests;
  readonly claimer: Claimer;
  readonly ends: Ends;
  readonly runner: JobRunner;
  /** Has threads and processes wait for runs that are about to begin; null where all runs take place inline. */
  readonly pool: Pick<HostPool, 'prepare'> | null;
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

/** Requests for runs that were read, so many at most, when there were so many places. */
interface Asked {
  readonly places: number;
  readonly limit: number;
  readonly open: readonly OpenRequest[];
}

interface Run extends Claimed {
  readonly stop: RunStop;
}

/** With nothing due at all, `run` wants to be called again after this long. */
const idleMs = 60_000;
/** Who waits for a run on another worker looks again after this long. */
const waitMs = 1000;
/** Waiting between attempts to write how a run ended, when the database is away: doubled up to the longest. */
const firstRetryMs = 250;
const longestRetryMs = 30_000;
/** Due times are claimed so long before, so that the runs begin on time however many there are. */
export const aheadMs = 100;
/** The threads and processes of runs are started so long before, if none waits: loaded, they begin at once. */
const prepareMs = 2000;
/** A run that begins later than was planned by more than this may have been given up by others meanwhile. */
const doubtMs = 5000;
/**
 * So many due rules and requests are read besides as many as there are places: at first only to know whether more wait,
 * and more when it turns out that some cannot be taken up.
 */
const firstBesides = 1;
const furtherBesides = 100;

function readAtOnce(places: number, besides: number): number {
  return Math.min(places + besides, largestClaim);
}

/** The original's `Tasks`: `setup` at start, `run` whenever it says, `status` for people. */
export class Tasks {
  readonly #context: TasksContext;
  readonly #runs = new Map<number, Run>();
  /** By job: what was given up and did not end. It keeps its place, and its rule is still running. */
  readonly #left = new Map<number, Left>();
  readonly #hindrances = new Hindrances();
  /** By time: what is claimed and waits for it. */
  readonly #gates = new Map<number, Run[]>();
  /** Those who wait until nothing runs. */
  readonly #settling: Array<() => void> = [];
  /** Runs that were asked to end so that the next one can begin. */
  readonly #asked = new Set<number>();
  #steps: ClockSteps;
  #lookingSince: number;
  #closing = false;
  /** Whether the database went away in the middle of a claim, so that it may know of a run that was not begun. */
  #isUnsure = false;
  /** Whether something may begin when a run ends. In doubt, as during a look, it may. */
  #isAwaited = true;
  /** Whether the caller is about to be told that there is a place. */
  #isTelling = false;

  constructor(context: TasksContext) {
    this.#context = context;
    this.#lookingSince = context.clock.now();
    this.#steps = new ClockSteps(context.clock);
  }

  /** Adjusts the rules to the registered procedures; see {@link Rules.sync}. */
  async setup(): Promise<SyncReport> {
    // All rules are looked at, so that no earlier setting of the clock matters.
    this.#steps = new ClockSteps(this.#context.clock);
    return await this.#context.rules.sync(this.#context.procedures);
  }

  /**
   * Starts what is due and what was asked for, as far as there are places. Does not wait for the runs: see
   * {@link settled}.
   *
   * @returns when to call it again, unless `onPlace` is called before
   */
  async run(): Promise<Date> {
    const { claimer, clock } = this.#context;
    await this.#noticeClockStep();
    if (this.#isUnsure) {
      this.#hindrances.wasAway(clock.now());
      await this.#takeUnbegun();
    }
    this.#isUnsure = true;
    this.#isAwaited = true;
    const look = new Look(this.#context.procedures);
    await this.#takeAsked(look);
    await this.#takeDue(look);
    this.#isUnsure = false;
    this.#isAwaited = look.waits || look.waitsForPlace;
    const now = clock.now();
    // What waits for a place is looked at when a run ends, which wakes the caller; other workers' runs do not.
    if (look.waitsForPlace)
      return new Date(Math.max(now, Math.min(now + waitMs, look.nextAt ?? now + waitMs)));
    const { due, remote, asked } = await claimer.nextTimes(look);
    const times = [
      due === null ? null : due - aheadMs,
      remote === null ? null : await this.#prepare(look, remote),
      look.nextAt,
      asked,
      look.waits ? now + waitMs : null,
    ];
    const next = Math.min(...times.filter((time) => time !== null), now + idleMs);
    return new Date(Math.max(now, next));
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

  /**
   * A thread or process that has to be started first and to load the site would begin late: for a rule that is due soon one is
   * started before.
   *
   * @param firstAt when the first of them is due
   * @returns when the next is to be started
   */
  async #prepare(look: Look, firstAt: number): Promise<number | null> {
    const { claimer, pool, clock } = this.#context;
    if (pool === null) return null;
    const soon = clock.now() + prepareMs;
    if (firstAt > soon) return firstAt - prepareMs;
    const next = await claimer.nextRemote(look);
    const wanted = new Map<string, { needs: HostNeeds; count: number }>();
    for (const { needs } of next.filter(({ dueAt }) => dueAt <= soon)) {
      const key = hostKey(needs);
      wanted.set(key, { needs, count: (wanted.get(key)?.count ?? 0) + 1 });
    }
    for (const { needs, count } of wanted.values()) pool.prepare(needs, count);
    const later = next.find(({ dueAt }) => dueAt > soon);
    return later === undefined ? null : later.dueAt - prepareMs;
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
      const all = new Promise<void>((resolve) => this.#settling.push(resolve));
      await (signal === undefined ? all : Promise.race([all, aborted(signal)]));
    }
  }

  /** From now on the rules are looked at: what was due before is late for that reason. */
  begin(): void {
    this.#lookingSince = this.#context.clock.now();
    this.#closing = false;
  }

  /** The site was switched off: what was due then is late for that reason. */
  wasOff(period: Period): void {
    this.#hindrances.wasOff(period);
  }

  /**
   * Asks all runs of this worker to end; they do, or are given up after `patienceMs`. From then on a database that is
   * away is not waited for: who comes next finds such a job lost.
   */
  abortAll(why: string, patienceMs?: number): void {
    this.#closing = true;
    for (const run of this.#runs.values()) run.stop.abort(new RunAbortedError('cancelled', why, patienceMs));
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
      this.#hindrances.wasSetForward(step);
      return;
    }
    logger.warning(`${step.told}; when the rules are due is worked out anew`);
    this.#hindrances.wasSetBack(step.to);
    await rules.realign(step.told);
  }

  async #takeUnbegun(): Promise<void> {
    for (const claimed of await this.#context.claimer.unbegun([...this.#runs.keys()])) this.#start(claimed);
  }

  async #takeCancellations(): Promise<void> {
    for (const request of await this.#context.requests.cancellations()) await this.#cancelRuns(request);
  }

  /** A request to end a run is for the worker that runs it; with no run there is nothing to end. */
  async #cancelRuns(request: JobRequest): Promise<void> {
    const { requests, jobs } = this.#context;
    const { ofJob, ruleId } = request;
    const isMeant = (job: Job) => (ofJob === null ? job.ruleId === ruleId : job.id === ofJob);
    const mine = [...this.#runs.values()].filter((run) => isMeant(run.job));
    if (mine.length > 0) {
      const asked = mine.map((run) => run.job.id).join(', ');
      if (!(await requests.handleCancel(request, `job ${asked} is asked to end`))) return;
      for (const run of mine)
        run.stop.abort(new RunAbortedError('cancelled', `cancelled by ${request.requestedBy}`));
      return;
    }
    const elsewhere = (await jobs.running()).some(isMeant);
    if (!elsewhere) await requests.handleCancel(request, 'nothing was running');
  }

  /** What was asked for: ends of runs, then runs. */
  async #takeAsked(look: Look): Promise<void> {
    const places = this.#freePlaces;
    const limit = readAtOnce(places, firstBesides);
    const { open, isCancelled } = await this.#context.requests.asked(limit);
    if (!isCancelled) return await this.#takeRequests({ places, limit, open }, look);
    await this.#takeCancellations();
    // Those may have withdrawn what was read.
    await this.#takeRequests(await this.#readRequests(places, firstBesides, look), look);
  }

  async #readRequests(places: number, besides: number, look: Look): Promise<Asked> {
    const limit = readAtOnce(places, besides);
    return { places, limit, open: await this.#context.requests.open(limit, look) };
  }

  async #takeRequests(first: Asked, look: Look): Promise<void> {
    const { claimer } = this.#context;
    for (let asked = first; ; asked = await this.#readRequests(this.#freePlaces, furtherBesides, look)) {
      const { places, limit, open } = asked;
      const known = open.filter(({ procedure }) => look.knows(procedure));
      if (known.length > 0) await this.#take(await claimer.claimRequests(known, this.#view(places)), look);
      if (open.length < limit || look.waitsForPlace) return;
    }
  }

  async #takeDue(look: Look): Promise<void> {
    const { claimer, clock } = this.#context;
    for (let besides = firstBesides; ; besides = furtherBesides) {
      const places = this.#freePlaces;
      const limit = readAtOnce(places, besides);
      const due = await claimer.due(clock.now() + aheadMs, limit, look);
      const known = due.filter(({ procedure }) => look.knows(procedure));
      if (known.length > 0) await this.#take(await claimer.claimDue(known, this.#view(places)), look);
      if (due.length < limit || look.waitsForPlace) break;
    }
    this.#hindrances.lookedAt(this.#context.clock.now(), look);
  }

  #view(freePlaces: number): View {
    return {
      freePlaces,
      lookingSince: this.#lookingSince,
      hindrance: (rule, dueAt) => this.#hindrances.of(rule, dueAt),
      left: [...this.#left.values()],
    };
  }

  async #take(claims: Claims, look: Look): Promise<void> {
    const { logger } = this.#context;
    for (const claimed of claims.claimed) this.#start(claimed);
    for (const { ruleId, detail } of claims.skipped)
      logger.debug(`job rule ${ruleId} skipped: ${detail}`, { rule: ruleId });
    for (const waiting of claims.waiting) {
      look.block(waiting);
      this.#hindrances.add(waiting);
    }
    for (const job of claims.cancel) this.#cancelForNext(job);
    for (const { rule, error } of claims.broken) await this.#cancelBroken(rule, error);
  }

  /** The next run of a rule is to begin, and does so when this one has ended. */
  #cancelForNext(jobId: number): void {
    if (this.#asked.has(jobId)) return;
    this.#asked.add(jobId);
    const why = 'the next run of its rule';
    const run = this.#runs.get(jobId);
    if (run !== undefined) run.stop.abort(new RunAbortedError('cancelled', `cancelled by ${why}`));
    // On another worker, which hears of it. When it cannot be written, it is tried at the next look.
    else this.#context.requests.addCancel(jobId, why).catch(() => this.#asked.delete(jobId));
  }

  /** A rule that cannot be read stops itself, and no other. */
  async #cancelBroken(rule: number, error: Error): Promise<void> {
    const { rules, logger } = this.#context;
    logger.error(`job rule ${rule} cannot be run and is cancelled: ${error.message}`, { rule });
    await rules.cancelBroken(rule, error.message);
  }

  get #freePlaces(): number {
    return Math.max(0, this.#context.maxJobs - this.#runs.size - this.#left.size);
  }

  #start(claimed: Claimed): void {
    const { logger, clock } = this.#context;
    const { job, rule } = claimed;
    if (logger.isEnabledFor('DEBUG'))
      logger.debug(`job ${job.id} of ${rule} started`, { rule: rule.id, job: job.id });
    this.#hindrances.delete(rule.id);
    const run = { ...claimed, stop: new RunStop() };
    this.#runs.set(job.id, run);
    if (clock.now() < job.startDatetime.getTime()) this.#beginInTime(run);
    else this.#beginOrAsk(run);
  }

  /** One timer for all that begins at the same time. Never before it: who runs at midnight asks what day it is. */
  #beginInTime(run: Run): void {
    const { clock } = this.#context;
    const at = run.job.startDatetime.getTime();
    const known = this.#gates.get(at);
    if (known !== undefined) {
      known.push(run);
      return;
    }
    const waiting = [run];
    this.#gates.set(at, waiting);
    const open = () => {
      const restMs = at - clock.now();
      // More is left only when the clock was set back.
      if (restMs > 0 && restMs <= aheadMs) {
        clock.after(restMs, open);
        return;
      }
      this.#gates.delete(at);
      // Each in a callback of its own, before the next of which V8 sees to the promises. What a short run leaves is garbage then
      // before the next one begins; of a thousand that go on side by side all of it would become old.
      for (const one of waiting.splice(0)) setImmediate(() => this.#beginOrAsk(one));
    };
    open();
  }

  /** Begins a run whose time has come, unless that was so long ago that it may not be this worker's any more. */
  #beginOrAsk(run: Run): void {
    const lateMs = this.#context.clock.now() - run.job.startDatetime.getTime();
    if (lateMs < doubtMs) void this.#perform(run);
    else void this.#beginLate(run);
  }

  /** If the process was suspended, others may have given the run up; in doubt it waits for the database. */
  async #beginLate(run: Run): Promise<void> {
    if (await this.#isStillMine(run.job.id)) await this.#perform(run);
    else this.#forget(run, false);
  }

  async #isStillMine(jobId: number): Promise<boolean> {
    const { claimer, logger } = this.#context;
    for (let delayMs = firstRetryMs; !this.#closing; delayMs = Math.min(2 * delayMs, longestRetryMs)) {
      try {
        const isMine = await claimer.isMine(jobId);
        if (!isMine)
          logger.warning(`job ${jobId} is not begun: it had been given up as lost`, { job: jobId });
        return isMine;
      } catch (error) {
        if (delayMs === firstRetryMs) logger.error(`cannot read whether job ${jobId} may begin`, error);
        await this.#pause(delayMs);
      }
    }
    return false;
  }

  /** Never rejects. */
  async #perform(run: Run): Promise<void> {
    const { job, rule, user, stop } = run;
    const { outcome, left } =
      stop.reason !== null ? notBegun(stop.reason) : await this.#context.runner.run(job, rule, user, stop);
    if (left !== null) this.#leave(run, left);
    this.#finish(run, outcome);
  }

  /** A database that is away is waited for, unless the worker stops. */
  #finish(run: Run, outcome: Outcome, delayMs = firstRetryMs): void {
    const { ends, logger, clock } = this.#context;
    const { job, rule } = run;
    ends.finish(job, rule, outcome).then(
      ({ mine, follows, wakes }) => {
        this.#forget(run, wakes);
        if (mine) return this.#tellEnd(job, rule, outcome, follows);
        const lost = `job ${job.id} had been given up as lost; that it is ${outcome.status} is not recorded`;
        logger.warning(lost, { rule: rule.id, job: job.id });
      },
      (error: unknown) => {
        const what = `cannot write that job ${job.id} is ${outcome.status}`;
        if (delayMs === firstRetryMs || this.#closing)
          logger.error(what, { rule: rule.id, job: job.id, error });
        if (this.#closing) this.#forget(run, false);
        else clock.after(delayMs, () => this.#finish(run, outcome, Math.min(2 * delayMs, longestRetryMs)));
      },
    );
  }

  /** @param wakes whether something is to be run because of it */
  #forget({ job }: Run, wakes: boolean): void {
    this.#runs.delete(job.id);
    this.#asked.delete(job.id);
    if (wakes || this.#isAwaited) this.#tellPlace();
    if (this.#runs.size === 0) for (const resolve of this.#settling.splice(0)) resolve();
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

  /** Remembers what did not end, until it does. */
  #leave({ job, rule }: Run, left: Promise<void>): void {
    this.#left.set(job.id, { ruleId: rule.id, jobId: job.id, since: job.startDatetime.getTime() });
    void left.then(() => {
      this.#left.delete(job.id);
      this.#tellPlace();
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#context.clock.after(ms, resolve);
    });
  }

  #tellEnd(job: Job, rule: JobRule, outcome: Outcome, follows: string): void {
    const { logger } = this.#context;
    const level = outcome.status === 'done' ? 'DEBUG' : 'WARNING';
    if (!logger.isEnabledFor(level)) return;
    const headline = outcome.message.split('\n', 1)[0] ?? '';
    const told = `job ${job.id} of ${rule} ${outcome.status}: ${headline}`;
    logger.log(level, follows === '' ? told : `${told}; ${follows}`, { rule: rule.id, job: job.id });
  }
}

/** What one look at the rules and requests has found to be of no use to look at again. */
class Look implements Blocked {
  readonly #known: ChoiceList<Procedure>;
  readonly #procedures = new Set<string>();
  readonly #rules = new Set<number>();
  /** Why a rule waits for the group. */
  readonly groupWaits = new Map<string, string>();
  readonly #early = new Set<number>();
  /** When the first of those is due that could not be claimed before. */
  nextAt: number | null = null;
  waitsForPlace = false;

  constructor(known: ChoiceList<Procedure>) {
    this.#known = known;
  }

  get procedures(): readonly string[] {
    return [...this.#procedures];
  }

  get rules(): readonly number[] {
    return [...this.#rules, ...this.#early];
  }

  get groups(): readonly string[] {
    return [...this.groupWaits.keys()];
  }

  /** Whether something waits for the end of a run, which may be another worker's. */
  get waits(): boolean {
    return this.#rules.size + this.groupWaits.size > 0;
  }

  /** Whether this worker has a procedure. During a deployment another one may know some that this one does not. */
  knows(procedure: string): boolean {
    if (this.#known.has(procedure)) return true;
    this.#procedures.add(procedure);
    return false;
  }

  block({ ruleId, dueAt, for: what, group, hindrance }: Waiting): void {
    if (what === 'time') this.#wait(ruleId, dueAt);
    else if (what === 'run') this.#rules.add(ruleId);
    else if (what === 'group') this.groupWaits.set(group, hindrance);
    else this.waitsForPlace = true;
  }

  #wait(ruleId: number, dueAt: number | null): void {
    this.#early.add(ruleId);
    if (dueAt !== null) this.nextAt = Math.min(this.nextAt ?? dueAt, dueAt);
  }
}

/** The end of a run that was asked to end before its time had come. */
function notBegun({ message }: RunAbortedError): RunEnd {
  return { outcome: { status: 'cancelled', message: `${message}, before it began` }, left: null };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
