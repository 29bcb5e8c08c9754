// The state of one claim transaction: the rules, their running jobs, and the decisions so far.

import type { Insertable } from 'kysely';
import { inactiveRule, type RuleEntry } from '../rules/ledger.js';
import { isFaultOfRule, type JobRule } from '../rules/rule.js';
import type { Database, JobRow } from '../store/schema.js';
import { allSlotsTaken, type Delay, decide, groupIsFull, type Running } from './decide.js';
import { type JobRequest, mergedOutcome } from './requests.js';

/** A rule or a request that has to wait. */
export interface Waiting {
  readonly ruleId: number;
  /** Null for a request. */
  readonly dueAt: number | null;
  readonly for: 'run' | 'group' | 'slot';
  /** The group that is full; empty when it waits for something else. */
  readonly group: string;
  /** The reason, as a clause. */
  readonly why: string;
}

/** A run whose job has ended, but whose code still runs here. */
export interface AbandonedRun extends Running {
  readonly ruleId: number;
}

/** What the worker knows and the database does not. */
export interface View {
  readonly freeSlots: number;
  /** When the worker began to poll, in ms since 1970. */
  readonly pollingSince: number;
  /** Whether any worker with the procedure was running at an instant. */
  workerRanAt(procedure: string, instant: number): boolean;
  /** By group: why an earlier rule of this poll waits for it. */
  readonly groupWaits: ReadonlyMap<string, string>;
  readonly abandoned: readonly AbandonedRun[];
  /** What kept a rule from starting since it was due, if known. */
  delayOf(rule: JobRule, dueAt: number): Delay | null;
}

/** A job to insert. */
export type NewJob = Insertable<Database['jobs']>;

/** The columns of a running job that a decision needs. */
export type RunningRow = Pick<JobRow, 'id' | 'rule_id' | 'start_datetime' | 'job_group'>;

/** What the transaction has to write. */
export class Decisions {
  readonly starts: NewJob[] = [];
  /** Starts that are one of the runs that a person wanted to be debugged. */
  readonly debugged = new Set<NewJob>();
  /** By their ids. */
  readonly requests = new Map<number, JobRequest>();
  readonly nextDueTimes: Array<{ readonly id: number; readonly next: number | null }> = [];
  /** Due times that were no longer open when their rules were locked. */
  readonly taken: Array<{ readonly ruleId: number; readonly dueAt: number }> = [];
  readonly entries: RuleEntry[] = [];
  readonly waiting: Waiting[] = [];
  readonly cancelled = new Set<number>();
  readonly broken: Array<{ rule: number; error: Error }> = [];
}

/** Decides about rules and requests one by one. Each decision counts the starts before it. */
export class Batch {
  readonly rules: ReadonlyMap<number, JobRule>;
  readonly now: number;
  readonly decided = new Decisions();
  readonly #view: View;
  readonly #workerId: string;
  readonly #running = new Map<number, Running[]>();
  readonly #inGroup = new Map<string, number>();
  readonly #groupWaits: Map<string, string>;
  readonly #waitingRequests: JobRequest[] = [];

  constructor(rules: ReadonlyMap<number, JobRule>, view: View, now: number, workerId: string) {
    this.rules = rules;
    this.now = now;
    this.#view = view;
    this.#workerId = workerId;
    this.#groupWaits = new Map(view.groupWaits);
    for (const run of view.abandoned) this.#addRunning(run.ruleId, run);
  }

  /** Counts a running job. */
  count({ id, rule_id, start_datetime, job_group }: RunningRow): void {
    if (job_group !== null) this.#inGroup.set(job_group, (this.#inGroup.get(job_group) ?? 0) + 1);
    // An abandoned run is counted already.
    if (this.#view.abandoned.some(({ jobId }) => jobId === id)) return;
    this.#addRunning(rule_id, { jobId: id, since: start_datetime });
  }

  /** Decides about a rule that is due. @returns false when it waits for a slot */
  decideDue(rule: JobRule, dueAt: number): boolean {
    const { group } = rule.policies;
    try {
      const { action, at, entries, next } = decide(rule, dueAt, {
        now: this.now,
        running: this.#running.get(rule.id) ?? [],
        inGroup: this.#inGroup.get(group) ?? 0,
        groupWait: this.#groupWaits.get(group) ?? null,
        hasSlot: this.#hasSlot,
        pollingSince: this.#view.pollingSince,
        workerRanAt: (instant) => this.#view.workerRanAt(rule.procedure, instant),
        delay: this.#view.delayOf(rule, dueAt),
      });
      if (action.kind === 'wait') {
        this.#wait(rule, dueAt, action.for, action.why, action.cancel);
        return action.for !== 'slot';
      }
      if (action.kind === 'start') this.#start(rule, { due_at: at });
      this.decided.nextDueTimes.push({ id: rule.id, next });
      this.decided.entries.push(...entries.map((entry) => ({ ...entry, ruleId: rule.id })));
    } catch (error) {
      if (!isFaultOfRule(error)) throw error;
      this.decided.broken.push({ rule: rule.id, error });
    }
    return true;
  }

  /** @returns the outcome of a request; null while it waits */
  decideRequest(rule: JobRule, request: JobRequest): string | null {
    if (request.ofJob !== null && !rule.active) {
      const attempt = `attempt ${request.attempt}, after ${request.requestedBy}`;
      this.#record(request, 'skipped', `${attempt}: ${inactiveRule}`);
      return `withdrawn: ${inactiveRule}`;
    }
    const outcome = this.#overlapOf(rule, request);
    if (outcome !== undefined) return outcome;
    const { group } = rule.policies;
    const [running, wait] = [this.#inGroup.get(group) ?? 0, this.#groupWaits.get(group) ?? null];
    const full = groupIsFull(rule.policies, running, wait);
    if (full !== null) return this.#postpone(rule, request, 'group', full);
    if (!this.#hasSlot) return this.#postpone(rule, request, 'slot', allSlotsTaken);
    const { attempt, args, checkpoint, debug } = request;
    this.#start(rule, { request_id: request.id, attempt, args, checkpoint, debug }, request.ofJob !== null);
    this.decided.requests.set(request.id, request);
    const reason = request.ofJob === null ? 'requested' : 'again';
    this.#record(request, reason, `by ${request.requestedBy}, request ${request.id}`);
    return 'run';
  }

  /** @returns the outcome of a request while its rule is running; undefined when it may start all the same */
  #overlapOf(rule: JobRule, request: JobRequest): string | null | undefined {
    const { overlap } = rule.policies;
    const running = this.#running.get(rule.id) ?? [];
    const [first] = running;
    if (first === undefined || overlap === 'allow') return undefined;
    // A run that starts in this transaction has no id yet; its jobId is negative.
    const name = first.jobId > 0 ? `job ${first.jobId}` : 'another run of the rule begins now';
    const why = first.jobId > 0 ? `${name} was still running` : name;
    if (overlap === 'skip' && running.some((run) => isAskedDuring(request, run))) {
      this.#record(request, 'skipped', `request ${request.id}: ${why}`);
      return `skipped: ${why}`;
    }
    const before = this.#waitingRequests.find((other) => isSameWork(other, request));
    if (before !== undefined) return mergedOutcome(before.id, name);
    const cancel = overlap === 'cancel-previous' ? running.map(({ jobId }) => jobId) : [];
    return this.#postpone(rule, request, 'run', why, cancel);
  }

  get #hasSlot(): boolean {
    return this.decided.starts.length < this.#view.freeSlots;
  }

  /** @param isAttempt a further attempt is debugged as the first one was */
  #start(rule: JobRule, cause: Partial<NewJob>, isAttempt = false): void {
    const { group, runIn } = rule.policies;
    const isDebugged = !isAttempt && cause.debug !== 1 && this.#debugRunsLeft(rule) > 0;
    const row = {
      rule_id: rule.id,
      procedure: rule.procedure,
      due_at: null,
      request_id: null,
      attempt: 1,
      args: null,
      checkpoint: null,
      start_datetime: this.now,
      debug: 0,
      ...cause,
      ...(isDebugged && { debug: 1 }),
      run_in: runIn,
      job_group: group === '' ? null : group,
      status: 'running',
      message: '',
      worker_id: this.#workerId,
    };
    this.decided.starts.push(row);
    if (isDebugged) this.decided.debugged.add(row);
    // It counts for the decisions that follow. It has no id yet, so it gets a negative one.
    this.count({ ...row, id: -this.decided.starts.length });
  }

  #debugRunsLeft(rule: JobRule): number {
    const begun = [...this.decided.debugged].filter(({ rule_id }) => rule_id === rule.id);
    return rule.debugRuns - begun.length;
  }

  #postpone(
    rule: JobRule,
    request: JobRequest,
    what: Waiting['for'],
    why: string,
    cancel: number[] = [],
  ): null {
    this.#waitingRequests.push(request);
    this.#wait(rule, null, what, why, cancel);
    return null;
  }

  #wait(
    rule: JobRule,
    dueAt: number | null,
    what: Waiting['for'],
    why: string,
    cancel: readonly number[],
  ): void {
    const group = what === 'group' ? rule.policies.group : '';
    if (what === 'group') this.#groupWaits.set(group, why);
    this.decided.waiting.push({ ruleId: rule.id, dueAt, for: what, group, why });
    // A run that starts in this transaction has no id yet. The next poll cancels it.
    for (const job of cancel) if (job > 0) this.decided.cancelled.add(job);
  }

  #record({ ruleId, id: requestId }: JobRequest, reason: RuleEntry['reason'], detail: string): void {
    this.decided.entries.push({ ruleId, requestId, dueAt: null, dueUntil: null, times: 1, reason, detail });
  }

  #addRunning(ruleId: number, run: Running): void {
    this.#running.set(ruleId, [...(this.#running.get(ruleId) ?? []), run]);
  }
}

/**
 * Whether the rule was running when the request was made. An earlier request waits: no answer said that it is
 * skipped.
 */
function isAskedDuring({ requestedAt, runAt }: JobRequest, { jobId, since }: Running): boolean {
  return jobId > 0 && Math.max(requestedAt, runAt) >= since;
}

/**
 * Whether one run serves both requests. Different arguments need different runs, a debugged run serves nobody
 * else, and a further attempt continues at a checkpoint of its own.
 */
function isSameWork(a: JobRequest, b: JobRequest): boolean {
  const isSame = a.ruleId === b.ruleId && a.args === b.args && a.debug === b.debug;
  return isSame && a.ofJob === null && b.ofJob === null;
}
