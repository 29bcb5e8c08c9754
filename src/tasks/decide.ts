// What to do with a rule whose time has come, as a pure function: the reasons in the ledger come from here.

import { durationText } from '../duration.js';

/**
 * Why something happened to a rule, or did not. The list is closed; `linod jobs` and the ledger show these words.
 *
 * started: on time. late: started, but later than it was due. requested: a person asked for the run. skipped: the
 * run before was still going on. dropped: further due times passed while nothing could run. taken: another worker
 * runs it. moved: the clock was set back, or the zone changed, and it is due at another time. cancelled, resumed, edited, reactivated, removed: somebody or something changed the rule. lost: the
 * worker of a run died.
 */
export type Reason =
  | 'started'
  | 'late'
  | 'requested'
  | 'skipped'
  | 'dropped'
  | 'taken'
  | 'moved'
  | 'cancelled'
  | 'resumed'
  | 'edited'
  | 'reactivated'
  | 'removed'
  | 'lost';

export interface Decision {
  readonly action: 'start' | 'skip';
  readonly reason: Reason;
  /** A clause for people, for example `by 3 h 2 min: no worker ran the rules then`. */
  readonly detail: string;
}

/** What was going on when a rule came due, all times in ms since 1970. */
export interface Circumstances {
  readonly now: number;
  /** The run of this rule that is still going on, on whichever worker. */
  readonly running: { readonly jobId: number; readonly since: number } | null;
  /** Since when this worker looks at the rules. */
  readonly lookingSince: number;
  /** Whether the rule had to wait since all places for jobs were taken. */
  readonly waitedForPlace: boolean;
}

/** A start up to this long after the due time is on time. */
export const lateAfterMs = 5000;

/** Decides about a rule that came due at `dueAt`. */
export function decide(dueAt: number, circumstances: Circumstances): Decision {
  const { now, running, lookingSince, waitedForPlace } = circumstances;
  if (running !== null) {
    const detail = `job ${running.jobId} was still running, for ${durationText(now - running.since)}`;
    return { action: 'skip', reason: 'skipped', detail };
  }
  const lateMs = now - dueAt;
  if (lateMs <= lateAfterMs) return { action: 'start', reason: 'started', detail: '' };
  const why =
    lookingSince > dueAt
      ? 'no worker ran the rules then'
      : waitedForPlace
        ? 'all places for jobs were taken'
        : 'the worker was busy or asleep';
  return { action: 'start', reason: 'late', detail: `by ${durationText(lateMs)}: ${why}` };
}
