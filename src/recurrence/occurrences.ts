// The times of a recurrence as numbers, and the effects of clock changes on them.

import type { MissingTime, RepeatedTime } from './fields.js';
import type { Zone } from './time/zone.js';

/** One wall time of a rule, converted to an instant. */
export interface Occurrence {
  readonly instant: number;
  /** What the clocks should show; at `instant` they show something else if they skip it. */
  readonly wall: number;
}

/** The times of a recurrence. Instants are ms since 1970 UTC, wall times as in wall-time.ts. */
export interface Occurrences {
  readonly zone: Zone;
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
  /** Whether it counts elapsed time, so that clock changes have no effect. */
  readonly isElapsed: boolean;
  /** Whether it is an interval, such as every 10 seconds, not a set of times of day. */
  readonly isInterval: boolean;
  /** The first occurrence strictly later than an instant, or null. */
  occurrenceAfter(after: number): Occurrence | null;
  /** The wall times between two instants that the clocks and the rule skip; at most `maxCount`. */
  skippedBetween(from: number, to: number, maxCount: number): Occurrence[];
}

/** The effect of a clock change on a time. */
export type ClockNote =
  /** The clocks skip the wall time: it is due later, at the jump, or not at all. */
  | 'shifted'
  | 'at-jump'
  | 'skipped'
  /** The clocks show the wall time twice. */
  | 'first-of-two'
  | 'second-of-two';

export interface TimetableEntry {
  /** Null for a skipped time. */
  readonly at: Date | null;
  /** The rule's wall time, `2024-03-31T02:30:00`. */
  readonly wall: string;
  readonly note: ClockNote | null;
  /** How far the zone's clocks were moved since the previous entry, in ms: positive is forward. */
  readonly clockChangeMs: number;
}

/** The effect of a clock change on a time; null where there is none. */
export function clockNoteOf(
  { zone, missingTime }: Occurrences,
  { instant, wall }: Occurrence,
): ClockNote | null {
  const showing = zone.whenShowing(wall);
  if (showing.kind === 'once') return null;
  if (showing.kind === 'never') return missingTime;
  return showing.first === instant ? 'first-of-two' : 'second-of-two';
}

/**
 * The latest time up to and including `at`, of a sequence that only gives next times. Null when none is later
 * than `since`. A binary search: the number of calls grows with the logarithm of the number of times.
 */
export function latestUpTo(
  at: number,
  since: number,
  nextAfter: (after: number) => number | null,
): number | null {
  let latest = nextAfter(since);
  if (latest === null || latest > at) return null;
  for (;;) {
    const next = nextAfter(latest);
    if (next === null || next > at) return latest;
    const halfway = nextAfter((next + at) / 2);
    latest = halfway !== null && halfway <= at ? halfway : next;
  }
}
