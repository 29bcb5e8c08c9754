// Decides what to do with a rule that is due: start, skip or wait. A pure function; it also writes the
// reasons for the ledger.

import { durationText } from '../base/duration.js';
import { dueFrom, type Entry, lateAfterMs, maxCounted, passedBetween } from '../rules/ledger-entry.js';
import type { Policies } from '../rules/policies.js';

/** What to do now. */
export type Action =
  | { readonly kind: 'start' }
  | { readonly kind: 'skip' }
  /** Nothing yet: first a run of the rule or of its group has to end, or a slot has to be free. */
  | {
      readonly kind: 'wait';
      readonly for: 'run' | 'group' | 'slot';
      /** The reason, as a clause. The ledger quotes it when the rule starts late. */
      readonly why: string;
      /** Jobs to cancel, so that this one can start. */
      readonly cancel: readonly number[];
    };

export interface Decision {
  readonly action: Action;
  /** The due time that the action is about. */
  readonly at: number;
  /** For the ledger, in this order. Empty while the rule waits. */
  readonly entries: readonly Entry[];
  /** When the rule is due next. Unchanged while the rule waits. */
  readonly next: number | null;
}

/** The parts of a rule that a decision needs. */
export interface DecidedRule {
  readonly policies: Pick<
    Policies,
    'misfire' | 'misfireWindowSeconds' | 'overlap' | 'group' | 'groupLimit' | 'runAfter'
  >;
  dueAfter(instant: Date): Date | null;
  /** Entries about times between two due times that were skipped or moved. */
  notesBetween(from: number, to: number): readonly Entry[];
  /** By how much jitter has moved a due time. */
  jitterOf(dueAt: number): number;
}

/** A run that has not ended. */
export interface Running {
  readonly jobId: number;
  readonly since: number;
}

/** What kept a rule from starting: a run of its own, its group, a lack of slots, or an outage. */
export interface Delay {
  readonly for: 'run' | 'group' | 'slot' | 'outage';
  /** The reason, as a clause. */
  readonly why: string;
}

/** The state of the site at the time of a decision. */
export interface Circumstances {
  readonly now: number;
  /** Runs of this rule, on all workers. */
  readonly running: readonly Running[];
  /** The number of runs of its group, on all workers. */
  readonly inGroup: number;
  /** Why an earlier rule of the same group waits; null when none waits. */
  readonly groupWait: string | null;
  readonly hasSlot: boolean;
  /** When this worker began to poll. */
  readonly pollingSince: number;
  /** Whether a worker with the procedure was running at an instant. */
  ranAt(instant: number): boolean;
  /** What kept the rule from starting so far, if known. */
  readonly delay: Delay | null;
}

/** A due time this close before the first poll counts as seen by this worker. */
const startMs = 1000;

/** Why a rule or a request waits while `maxJobs` jobs run. */
export const allSlotsTaken = 'all job slots were taken';

const ended: Entry = { reason: 'ended', dueAt: null, dueUntil: null, times: 1, detail: '' };

/**
 * Decides about a rule that came due at `dueAt`, in four steps: drop the due times that are too old, choose
 * an action for the first that remains, record it, and find the next due time.
 */
export function decide(rule: DecidedRule, dueAt: number, circumstances: Circumstances): Decision {
  const { now, delay } = circumstances;
  // Waiting for a run of the same rule is not a misfire, however long it takes.
  const oldest = delay?.for === 'run' ? dueAt : oldestToRun(rule, circumstances);
  const entries: Entry[] = [];
  let at = dueAt;
  if (dueAt < oldest) {
    const first = dueFrom(rule, oldest);
    const passed = passedBetween(rule, dueAt, Math.min(first ?? now + 1, now + 1) - 1);
    entries.push({ ...passed, ...whyDropped(rule, dueAt, circumstances) });
    if (first === null) entries.push(...endOf(rule));
    if (first === null || first > now) {
      entries.push(...skippedOrMovedUpTo(rule, dueAt, first));
      return { action: { kind: 'skip' }, at, entries, next: first };
    }
    at = first;
  }
  const action = actionAt(rule, at, circumstances);
  // A rule that waits gets its entries when it starts or is skipped.
  if (action.kind === 'wait') return { action, at: dueAt, entries: [], next: dueAt };
  entries.push(entryFor(rule, action, at, circumstances));
  const { next, dropped } = nextAfter(rule, at, now);
  entries.push(...dropped, ...notesUpTo(rule, dueAt, next));
  return { action, at, entries, next };
}

/**
 * Entries about skipped times before the next due time. No poll sees those times, so they are recorded now.
 */
function notesUpTo(rule: DecidedRule, dueAt: number, next: number | null): readonly Entry[] {
  return next === null ? [] : rule.notesBetween(dueAt, next);
}

/** The misfire policy drops due times before this instant. */
function oldestToRun({ policies }: DecidedRule, { now, pollingSince }: Circumstances): number {
  const { misfire, misfireWindowSeconds } = policies;
  if (misfire === 'skip') return Math.max(now - lateAfterMs, pollingSince - startToleranceMs);
  if (misfireWindowSeconds === 0) return Number.NEGATIVE_INFINITY;
  return now - Math.max(lateAfterMs, misfireWindowSeconds * 1000);
}

function whyDropped(
  { policies }: DecidedRule,
  dueAt: number,
  { delay, workerRanAt }: Circumstances,
): Pick<Entry, 'reason' | 'detail'> {
  if (delay !== null) return { reason: 'skipped', detail: `too late: ${delay.why}` };
  const limit =
    policies.misfire === 'skip'
      ? 'misfire is skip'
      : `more than ${durationText(policies.misfireWindowSeconds * 1000)} ago`;
  const meanwhile = workerRanAt(dueAt) ? workerWasBusy : noWorkerRan;
  return { reason: 'dropped', detail: `passed while ${meanwhile}: ${limit}` };
}

function actionAt(
  { policies }: DecidedRule,
  at: number,
  { now, running, inGroup, groupWait, hasSlot }: Circumstances,
): Action {
  const [first] = running;
  if (first !== undefined && policies.overlap !== 'allow') {
    // `run-all` runs missed due times one after the other, so they wait for each other instead of being
    // skipped.
    const isCatchingUp = policies.misfire === 'run-all' && now - at > lateAfterMs;
    if (policies.overlap === 'skip' && !isCatchingUp) return { kind: 'skip' };
    const cancel = policies.overlap === 'cancel-previous' ? running.map(({ jobId }) => jobId) : [];
    return { kind: 'wait', for: 'run', why: `job ${first.jobId} was still running`, cancel };
  }
  const full = groupIsFull(policies, inGroup, groupWait);
  if (full !== null) return { kind: 'wait', for: 'group', why: full, cancel: [] };
  if (!hasSlot) return { kind: 'wait', for: 'slot', why: allSlotsTaken, cancel: [] };
  return { kind: 'start' };
}

/**
 * Why the group of a rule blocks it; null when it does not. Either the group is at the rule's limit, or an
 * earlier rule waits for the group. A rule with a higher limit must not overtake that one, which might
 * otherwise wait for ever.
 */
export function groupIsFull(
  { group, groupLimit }: Pick<Policies, 'group' | 'groupLimit'>,
  inGroup: number,
  groupWait: string | null,
): string | null {
  if (group === '') return null;
  return groupWait ?? (inGroup >= groupLimit ? `group ${group} was at its limit of ${groupLimit}` : null);
}

/** The entry of a due time that starts, or is skipped because the rule is running. */
function entryFor(
  rule: DecidedRule,
  action: Action,
  dueAt: number,
  { now, running, delay, workerRanAt }: Circumstances,
): Entry {
  const one = { dueAt, dueUntil: null, times: 1 };
  const [first] = running;
  if (action.kind === 'skip' && first !== undefined) {
    const detail = `job ${first.jobId} was still running, for ${durationText(now - first.since)}`;
    return { ...one, reason: 'skipped', detail };
  }
  const lateMs = now - dueAt;
  const jitterMs = rule.jitterOf(dueAt);
  const moved = jitterMs === 0 ? '' : `moved by ${durationText(jitterMs)} of jitter`;
  if (lateMs <= lateAfterMs) return { ...one, reason: 'started', detail: moved };
  const why = delay?.why ?? (workerRanAt(dueAt) ? workerWasBusy : `${noWorkerRan} then`);
  return { ...one, reason: 'late', detail: `by ${durationText(lateMs)}: ${why}` };
}

/** The next due time. Due times that passed since `at` are dropped, unless the policy is `run-all`. */
function nextAfter(
  rule: DecidedRule,
  at: number,
  now: number,
): { readonly next: number | null; readonly dropped: readonly Entry[] } {
  const next = dueFrom(rule, at + 1);
  if (next === null) return { next, dropped: rule.policies.runAfter === '' ? [ended] : [] };
  if (next > now || rule.policies.misfire === 'run-all') return { next, dropped: [] };
  const times = passedBetween(rule, next, now);
  const count = times.times >= maxCounted ? `${maxCounted} or more` : String(times.times);
  const entry: Entry = {
    ...times,
    reason: 'dropped',
    detail: `${count} further due times passed meanwhile`,
  };
  const later = dueFrom(rule, now + 1);
  return { next: later, dropped: later === null ? [entry, ended] : [entry] };
}
