// What a recurrence is to what is built upon it: its times one by one, as numbers, with the zone that they are in.

import type { Occurrence } from './calendar.js';
import type { MissingTime, RepeatedTime } from './fields.js';
import type { Zone } from './zone.js';

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
