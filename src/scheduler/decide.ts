// Decides what becomes of a rule that is due, as a pure function. The reasons in the ledger come from here.
//
// The policies that decide:
//
// - `misfire`, for due times that passed without a run: `skip` drops them, `run-once` runs the oldest for all,
//   `run-all` runs each. A time counts as passed when it is more than 5 s late (`lateAfterMs`).
// - `misfireWindowSeconds`: `run-once` and `run-all` drop a time that is later than this. 0 is no limit.
// - `overlap`, while a run of the rule goes on: `skip` skips the new run; `allow` starts it. `queue-one` waits until all
//   earlier runs end; `cancel-previous` also asks them to end.

import { durationText } from '../base/duration.js';
import { dueFrom, type Entry, lateAfterMs, maxCounted, passedBetween } from '../rules/ledger-entry.js';
import type { Policies } from '../rules/policies.js';

/** What is to be done now. */
export type Action =
  | { readonly kind: 'start' }
  | { readonly kind: 'skip' }
  /** Nothing yet: a run of the rule or of its group has to end first, or a slot to be free. */
  | {
      readonly kind: 'wait';
      readonly for: 'run' | 'group' | 'slot';
      /** The reason, for the ledger if it starts late. */
      readonly why: string;
      /** Ask these runs to end. */
      readonly cancel: readonly number[];
    };

export interface Decision {
  readonly action: Action;
  /** The due time that starts, is skipped or waits, in ms since 1970, as all times here. */
  readonly at: number;
  /** For the ledger, in this order. Empty while the rule waits. */
  readonly entries: readonly Entry[];
  /** When the rule is due next; the old time while it waits. */
  readonly next: number | null;
}

/** The part of a rule that decides. */
export interface DecidedRule {
  readonly policies: Pick<
    Policies,
    'misfire' | 'misfireWindowSeconds' | 'overlap' | 'group' | 'groupLimit' | 'runAfter'
  >;
  dueAfter(instant: Date): Date | null;
  /** Entries for the times after one due time up to the next that exclusions or clock changes skip or move. */
  skippedOrMovedBetween(from: number, to: number): readonly Entry[];
  /** By how many ms jitter has moved a due time. */
  jitterOf(dueAt: number): number;
}

/** A run that goes on. */
export interface Running {
  readonly jobId: number;
  readonly since: number;
}

/** What keeps a rule from starting: its own run, its group, the lack of a slot, or an outage. */
export interface Delay {
  readonly for: 'run' | 'group' | 'slot' | 'outage';
  /** In words. */
  readonly why: string;
}

/** The state of the site at the moment of the decision. */
export interface Circumstances {
  readonly now: number;
  /** The runs of this rule that still go on, on all workers. */
  readonly running: readonly Running[];
  /** The number of runs of its group that go on, on all workers. */
  readonly inGroup: number;
  /** Why an earlier rule of its group waits for the group; null when none waits. */
  readonly groupWait: string | null;
  readonly hasSlot: boolean;
  /** When this worker began to poll. */
  readonly pollingSince: number;
  /** Whether a worker that has the procedure ran at an instant. */
  workerRanAt(instant: number): boolean;
  /** What has kept the rule from starting so far, if that is known. */
  readonly delay: Delay | null;
}

/** With `misfire: skip`, a worker also drops a time that was due more than 1 s before it began to poll. */
const startToleranceMs = 1000;

/** What a rule or a request waits for when no more jobs may run. */
export const allSlotsTaken = 'all job slots were taken';

const workerWasBusy = 'the worker was busy or asleep';
const noWorkerRan = 'no worker ran the rules';

const ended: Entry = { reason: 'ended', dueAt: null, dueUntil: null, times: 1, detail: '' };

/** Decides about a rule that came due at `dueAt`. */
export function decide(rule: DecidedRule, dueAt: number, circumstances: Circumstances): Decision {
  const { now, delay } = circumstances;
  // A time that waited for the rule's own earlier run is never dropped as too late. One that waited for its group, for
  // a slot or for the database may be.
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
  // A time that waits gets its entry when it starts or is dropped.
  if (action.kind === 'wait') return { action, at: dueAt, entries: [], next: dueAt };
  entries.push(entryOf(rule, action, at, circumstances));
  const { next, passed } = nextDue(rule, at, now);
  entries.push(...passed, ...skippedOrMovedUpTo(rule, dueAt, next));
  return { action, at, entries, next };
}

/** Skipped times never become due, so their entries are written with the due time before them. */
function skippedOrMovedUpTo(rule: DecidedRule, dueAt: number, next: number | null): readonly Entry[] {
  return next === null ? [] : rule.skippedOrMovedBetween(dueAt, next);
}

/** The rule has no further due time. One that runs after another rule never has one, and goes on. */
function endOf({ policies }: DecidedRule): readonly Entry[] {
  return policies.runAfter === '' ? [ended] : [];
}

/** The earliest due time that is still run. */
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
    // With run-all, a missed time waits for the previous one instead of being skipped.
    const isMissed = policies.misfire === 'run-all' && now - at > lateAfterMs;
    if (policies.overlap === 'skip' && !isMissed) return { kind: 'skip' };
    const cancel = policies.overlap === 'cancel-previous' ? running.map(({ jobId }) => jobId) : [];
    return { kind: 'wait', for: 'run', why: `job ${first.jobId} was still running`, cancel };
  }
  const full = groupIsFull(policies, inGroup, groupWait);
  if (full !== null) return { kind: 'wait', for: 'group', why: full, cancel: [] };
  if (!hasSlot) return { kind: 'wait', for: 'slot', why: allSlotsTaken, cancel: [] };
  return { kind: 'start' };
}

/**
 * Why the group keeps a rule from starting, or null: its own limit, or an earlier rule that waits for the group. No rule
 * overtakes that one by a higher limit. Otherwise it might wait for ever.
 */
export function groupIsFull(
  { group, groupLimit }: Pick<Policies, 'group' | 'groupLimit'>,
  inGroup: number,
  groupWait: string | null,
): string | null {
  if (group === '') return null;
  return groupWait ?? (inGroup >= groupLimit ? `group ${group} was at its limit of ${groupLimit}` : null);
}

/** The entry of a due time that starts, or that a run of the rule makes skip. */
function entryOf(
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

/** The next due time. Times that have passed since are dropped, except with `run-all`. */
function nextDue(
  rule: DecidedRule,
  at: number,
  now: number,
): { readonly next: number | null; readonly passed: readonly Entry[] } {
  const next = dueFrom(rule, at + 1);
  if (next === null) return { next, passed: endOf(rule) };
  if (next > now || rule.policies.misfire === 'run-all') return { next, passed: [] };
  const times = passedBetween(rule, next, now);
  const count = times.times >= maxCounted ? `${maxCounted} or more` : String(times.times);
  const dropped: Entry = {
    ...times,
    reason: 'dropped',
    detail: `${count} further due times passed meanwhile`,
  };
  const later = dueFrom(rule, now + 1);
  return { next: later, passed: later === null ? [dropped, ...endOf(rule)] : [dropped] };
}
