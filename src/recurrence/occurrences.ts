// The times of a recurrence one by one, as numbers, and what clock changes make of them.

import type { MissingTime, RepeatedTime } from './fields.js';
import type { Zone } from './zone.js';

/** One wall time of a rule that became an instant. */
export interface Occurrence {
  readonly instant: number;
  /** What the clocks should have shown; they show something else at `instant` when they skip that. */
  readonly wall: number;
}

/** The times of a recurrence. Instants are milliseconds since 1970 UTC, wall times as in wall-time.ts. */
export interface Occurrences {
  readonly zone: Zone;
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
  /** Whether it counts elapsed time, so that clock changes mean nothing to it. */
  readonly isElapsed: boolean;
  /** Whether it stands for an interval, such as every 10 seconds, and not for times of day. */
  readonly isInterval: boolean;
  /** The first one strictly later than an instant, or null. */
  occurrenceAfter(after: number): Occurrence | null;
  /** The wall times that are left out between two instants, since the clocks skip them; at most `most`. */
  leftOutBetween(from: number, to: number, most: number): Occurrence[];
}

/** What is special about a time. */
export type ClockNote =
  /** The clocks skip the wall time: it is due later, at the jump, or not at all. */
  | 'shifted'
  | 'at-jump'
  | 'skipped'
  /** The clocks show the wall time twice. */
  | 'first-of-two'
  | 'second-of-two';

export interface TimetableEntry {
  /** Null for a time that is skipped. */
  readonly at: Date | null;
  /** The wall time that the rule means, `2024-03-31T02:30:00`. */
  readonly wall: string;
  readonly note: ClockNote | null;
  /** By how much the zone's clocks were moved since the entry before, in milliseconds: forward above 0. */
  readonly clockChangeMs: number;
}

/** What a clock change makes of a time; null where there is none. */
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
 * The latest time up to and with `at` of a sequence that is known by its next times only; null when there is none later
 * than `since`. Looks about as often as the number of times in between has digits in binary.
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
