// What to do with a rule whose time has come, as a pure function: the reasons in the ledger come from here.

import { durationText } from '../base/duration.js';
import { dueFrom, type Entry, lateAfterMs, maxCounted, passedBetween } from '../rules/ledger-entry.js';
import type { Policies } from '../rules/policies.js';

/** What is to be done now. */
export type Action =
  | { readonly kind: 'start' }
  | { readonly kind: 'skip' }
  /** Nothing yet: a run of the rule or of its group has to end first, or a place to be free. */
  | {
      readonly kind: 'wait';
      readonly for: 'run' | 'group' | 'place';
      /** Why, as it will stand in the ledger when it starts late. */
      readonly why: string;
      /** Runs that are to be asked to end. */
      readonly cancel: readonly number[];
    };

export interface Decision {
  readonly action: Action;
  /** The due time that starts, is skipped or waits. */
  readonly at: number;
  /** For the ledger, in this order; nothing while it waits. */
  readonly entries: readonly Entry[];
  /** When the rule is due next; the old time while it waits. */
  readonly next: number | null;
}

/** As much of a rule as decides. */
export interface DecidedRule {
  readonly policies: Pick<
    Policies,
    'misfire' | 'misfireWindowSeconds' | 'overlap' | 'group' | 'groupLimit' | 'runAfter'
  >;
  dueAfter(instant: Date): Date | null;
  /** What is to be told of the times later than one due time up to the next: left out, or moved. */
  notesBetween(from: number, to: number): readonly Entry[];
  /** By how much jitter has moved a due time. */
  jitterOf(dueAt: number): number;
}

/** A run that goes on. */
export interface Running {
  readonly jobId: number;
  readonly since: number;
}

/** What keeps a rule from starting: a run of its own, its group, the number of jobs, or something that was away. */
export interface Delay {
  readonly for: 'run' | 'group' | 'place' | 'outage';
  /** In words. */
  readonly why: string;
}

/** What was going on when a rule came due. */
export interface Circumstances {
  readonly now: number;
  /** The runs of this rule that still go on, on whichever worker. */
  readonly running: readonly Running[];
  /** How many runs of its group go on, on all workers. */
  readonly inGroup: number;
  /** What a rule of its group that comes before it waits for; null when none waits. */
  readonly groupWait: string | null;
  readonly hasPlace: boolean;
  /** Since when this worker polls. */
  readonly pollingSince: number;
  /** Whether a worker that has the procedure ran at an instant. */
  ranAt(instant: number): boolean;
  /** What kept it from starting so far, if that is known. */
  readonly delay: Delay | null;
}

/** A worker that begins to poll within this takes a due time as one that polled then. */
const startMs = 1000;

/** What a rule or a request waits for when no more jobs may run. */
export const allPlacesTaken = 'all places for jobs were taken';

const ended: Entry = { reason: 'ended', dueAt: null, dueUntil: null, times: 1, detail: '' };

/** Decides about a rule that came due at `dueAt`. */
export function decide(rule: DecidedRule, dueAt: number, circumstances: Circumstances): Decision {
  const { now, delay } = circumstances;
  // A run of its own is no misfire, however long it takes.
  const since = delay?.for === 'run' ? dueAt : oldestMadeUpFor(rule, circumstances);
  const entries: Entry[] = [];
  let at = dueAt;
  if (dueAt < since) {
    const first = dueFrom(rule, since);
    const passed = passedBetween(rule, dueAt, Math.min(first ?? now + 1, now + 1) - 1);
    entries.push({ ...passed, ...whyDropped(rule, dueAt, circumstances) });
    if (first === null) entries.push(ended);
    if (first === null || first > now) {
      entries.push(...notesUpTo(rule, dueAt, first));
      return { action: { kind: 'skip' }, at, entries, next: first };
    }
    at = first;
  }
  const action = actionAt(rule, at, circumstances);
  // Nothing is told of what waits until it is known what becomes of it.
  if (action.kind === 'wait') return { action, at: dueAt, entries: [], next: dueAt };
  entries.push(told(rule, action, at, circumstances));
  const { next, passed } = moveOn(rule, at, now);
  entries.push(...passed, ...notesUpTo(rule, dueAt, next));
  return { action, at, entries, next };
}

/** What comes to nothing before the next due time is told now, since nobody looks at it when it would be due. */
function notesUpTo(rule: DecidedRule, dueAt: number, next: number | null): readonly Entry[] {
  return next === null ? [] : rule.notesBetween(dueAt, next);
}

/** Before this instant due times are not made up for. */
function oldestMadeUpFor({ policies }: DecidedRule, { now, pollingSince }: Circumstances): number {
  const { misfire, misfireWindowSeconds } = policies;
  if (misfire === 'skip') return Math.max(now - lateAfterMs, pollingSince - startMs);
  if (misfireWindowSeconds === 0) return Number.NEGATIVE_INFINITY;
  return now - Math.max(lateAfterMs, misfireWindowSeconds * 1000);
}

function whyDropped(
  { policies }: DecidedRule,
  dueAt: number,
  { delay, ranAt }: Circumstances,
): Pick<Entry, 'reason' | 'detail'> {
  if (delay !== null) return { reason: 'skipped', detail: `too late: ${delay.why}` };
  const limit =
    policies.misfire === 'skip'
      ? 'misfire is skip'
      : `more than ${durationText(policies.misfireWindowSeconds * 1000)} ago`;
  const meanwhile = ranAt(dueAt) ? 'the worker was busy or asleep' : 'no worker ran it';
  return { reason: 'dropped', detail: `passed while ${meanwhile}: ${limit}` };
}

function actionAt(
  { policies }: DecidedRule,
  at: number,
  { now, running, inGroup, groupWait, hasPlace }: Circumstances,
): Action {
  const [first] = running;
  if (first !== undefined && policies.overlap !== 'allow') {
    // What is made up for is not skipped for the sake of what was made up for just before.
    const isMadeUpFor = policies.misfire === 'run-all' && now - at > lateAfterMs;
    if (policies.overlap === 'skip' && !isMadeUpFor) return { kind: 'skip' };
    const cancel = policies.overlap === 'cancel-previous' ? running.map(({ jobId }) => jobId) : [];
    return { kind: 'wait', for: 'run', why: `job ${first.jobId} was still running`, cancel };
  }
  const full = groupIsFull(policies, inGroup, groupWait);
  if (full !== null) return { kind: 'wait', for: 'group', why: full, cancel: [] };
  if (!hasPlace) return { kind: 'wait', for: 'place', why: allPlacesTaken, cancel: [] };
  return { kind: 'start' };
}

/**
 * What keeps a rule from starting for the sake of its group: its own limit, or a rule that comes before it and waits for
 * the group. Nobody overtakes that one by a higher limit, or it might wait for ever, and who starts would depend on how
 * many rules are looked at together.
 */
export function groupIsFull(
  { group, groupLimit }: Pick<Policies, 'group' | 'groupLimit'>,
  inGroup: number,
  groupWait: string | null,
): string | null {
  if (group === '') return null;
  return groupWait ?? (inGroup >= groupLimit ? `group ${group} was at its limit of ${groupLimit}` : null);
}

/** The entry of a due time that starts, or is skipped for the sake of a run. */
function told(
  rule: DecidedRule,
  action: Action,
  dueAt: number,
  { now, running, delay, ranAt }: Circumstances,
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
  const why = delay?.why ?? (ranAt(dueAt) ? 'the worker was busy or asleep' : 'no worker ran the rules then');
  return { ...one, reason: 'late', detail: `by ${durationText(lateMs)}: ${why}` };
}

/** What passed since is dropped, unless all of it is to be run. */
function moveOn(
  rule: DecidedRule,
  at: number,
  now: number,
): { readonly next: number | null; readonly passed: readonly Entry[] } {
  const next = dueFrom(rule, at + 1);
  if (next === null) return { next, passed: rule.policies.runAfter === '' ? [ended] : [] };
  if (next > now || rule.policies.misfire === 'run-all') return { next, passed: [] };
  const times = passedBetween(rule, next, now);
  const count = times.times >= maxCounted ? `${maxCounted} or more` : String(times.times);
  const dropped: Entry = {
    ...times,
    reason: 'dropped',
    detail: `${count} further due times passed meanwhile`,
  };
  const later = dueFrom(rule, now + 1);
  return { next: later, passed: later === null ? [dropped, ended] : [dropped] };
}
