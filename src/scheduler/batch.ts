// One transaction of claims, as far as it has come: what is known of the rules and their runs, and what was decided.

import type { Insertable } from 'kysely';
import { inactiveRule, type RuleEntry } from '../rules/ledger.js';
import { isFaultOfRule, type JobRule } from '../rules/rule.js';
import type { Database, JobRow } from '../store/schema.js';
import { allSlotsTaken, type Delay, decide, groupIsFull, type Running } from './decide.js';
import { type JobRequest, mergedOutcome } from './requests.js';

/** A rule or a request that cannot be taken up yet. */
export interface Waiting {
  readonly ruleId: number;
  /** Null for a request. */
  readonly dueAt: number | null;
  readonly for: 'run' | 'group' | 'slot';
  /** The group that is at its limit; empty otherwise. */
  readonly group: string;
  /** What it waits for, in words. */
  readonly why: string;
}

/** A run that was given up here and has not ended. */
export interface LeftRun extends Running {
  readonly ruleId: number;
}

/** What the worker knows besides what the database does. */
export interface View {
  readonly freeSlots: number;
  /** Since when it polls, in ms since 1970. */
  readonly pollingSince: number;
  /** Whether it, or another worker that has the procedure, ran at an instant. */
  workerRanAt(procedure: string, instant: number): boolean;
  /** By group: what those wait for that came before in this poll. */
  readonly groupWaits: ReadonlyMap<string, string>;
  readonly left: readonly LeftRun[];
  /** What kept a rule from starting since it was due, if that is known. */
  delayOf(rule: JobRule, dueAt: number): Delay | null;
}

/** A job that is to be written. */
export type NewJob = Insertable<Database['jobs']>;

/** As much of a job that goes on as decides about others. */
export type RunningRow = Pick<JobRow, 'id' | 'rule_id' | 'start_datetime' | 'job_group'>;

/** What was decided, and is to be written. */
export class Decisions {
  readonly starts: NewJob[] = [];
  /** By request: who asked for it. */
  readonly users = new Map<number, string>();
  readonly moved: Array<{ readonly id: number; readonly next: number | null }> = [];
  readonly missed: Array<{ readonly ruleId: number; readonly dueAt: number }> = [];
  readonly entries: RuleEntry[] = [];
  readonly waiting: Waiting[] = [];
  readonly cancelled = new Set<number>();
  readonly broken: Array<{ rule: number; error: Error }> = [];
}

/** Decides about rules and requests one after the other: what was decided before counts for the next. */
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
    for (const run of view.left) this.#addRunning(run.ruleId, run);
  }

  /** Takes a run that goes on into account. */
  count({ id, rule_id, start_datetime, job_group }: RunningRow): void {
    if (job_group !== null) this.#inGroup.set(job_group, (this.#inGroup.get(job_group) ?? 0) + 1);
    // One that was given up here may stand in the database as well.
    if (this.#view.left.some(({ jobId }) => jobId === id)) return;
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
      this.decided.moved.push({ id: rule.id, next });
      this.decided.entries.push(...entries.map((entry) => ({ ...entry, ruleId: rule.id })));
    } catch (error) {
      if (!isFaultOfRule(error)) throw error;
      this.decided.broken.push({ rule: rule.id, error });
    }
    return true;
  }

  /** @returns what becomes of a request, as its outcome; null while it waits */
  decideRequest(rule: JobRule, request: JobRequest): string | null {
    if (request.ofJob !== null && !rule.active) {
      const attempt = `attempt ${request.attempt}, after ${request.requestedBy}`;
      this.#tell(request, 'skipped', `${attempt}: ${inactiveRule}`);
      return `withdrawn: ${inactiveRule}`;
    }
    const outcome = this.#overlapOf(rule, request);
    if (outcome !== undefined) return outcome;
    const { group } = rule.policies;
    const [running, wait] = [this.#inGroup.get(group) ?? 0, this.#groupWaits.get(group) ?? null];
    const full = groupIsFull(rule.policies, running, wait);
    if (full !== null) return this.#postpone(rule, request, 'group', full);
    if (!this.#hasSlot) return this.#postpone(rule, request, 'slot', allSlotsTaken);
    const { attempt, args, checkpoint } = request;
    this.#start(rule, { request_id: request.id, attempt, args, checkpoint });
    this.decided.users.set(request.id, request.requestedBy);
    const reason = request.ofJob === null ? 'requested' : 'again';
    this.#tell(request, reason, `by ${request.requestedBy}, request ${request.id}`);
    return 'run';
  }

  /** @returns the outcome of a request while a run of its rule goes on; undefined when that is no reason to wait */
  #overlapOf(rule: JobRule, request: JobRequest): string | null | undefined {
    const { overlap } = rule.policies;
    const running = this.#running.get(rule.id) ?? [];
    const [first] = running;
    if (first === undefined || overlap === 'allow') return undefined;
    // Of a run that was decided upon just before, the number is not known yet.
    const name = first.jobId > 0 ? `job ${first.jobId}` : 'another run of the rule begins now';
    const why = first.jobId > 0 ? `${name} was still running` : name;
    if (overlap === 'skip' && running.some((run) => isAskedDuring(request, run))) {
      this.#tell(request, 'skipped', `request ${request.id}: ${why}`);
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

  #start(rule: JobRule, cause: Partial<NewJob>): void {
    const { group, runIn } = rule.policies;
    const row = {
      rule_id: rule.id,
      procedure: rule.procedure,
      due_at: null,
      request_id: null,
      attempt: 1,
      args: null,
      checkpoint: null,
      start_datetime: this.now,
      ...cause,
      run_in: runIn,
      job_group: group === '' ? null : group,
      status: 'running',
      message: '',
      worker_id: this.#workerId,
    };
    this.decided.starts.push(row);
    // Its number is not known yet; it counts for what else is decided here.
    this.count({ ...row, id: -this.decided.starts.length });
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
    // One that begins in this transaction has no number yet, and is asked at the next poll.
    for (const job of cancel) if (job > 0) this.decided.cancelled.add(job);
  }

  #tell({ ruleId, id: requestId }: JobRequest, reason: RuleEntry['reason'], detail: string): void {
    this.decided.entries.push({ ruleId, requestId, dueAt: null, dueUntil: null, times: 1, reason, detail });
  }

  #addRunning(ruleId: number, run: Running): void {
    this.#running.set(ruleId, [...(this.#running.get(ruleId) ?? []), run]);
  }
}

/** Whether a run went on when the request was made; one that was made before waits, as nobody was told it would be skipped. */
function isAskedDuring({ requestedAt, runAt }: JobRequest, { jobId, since }: Running): boolean {
  return jobId > 0 && Math.max(requestedAt, runAt) >= since;
}

/**
 * Whether one run does for both requests. Other arguments are other work, and a further attempt goes on where the one
 * before has stopped.
 */
function isSameWork(a: JobRequest, b: JobRequest): boolean {
  return a.ruleId === b.ruleId && a.args === b.args && a.ofJob === null && b.ofJob === null;
}
