// When a recurrence is due, one time after the other, with what clock changes make of it.

import type { Occurrence } from './calendar.js';
import type { Occurrences } from './occurrences.js';
import { formatWallTime } from './wall-time.js';

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

/** The entries after an instant, at most `most`. */
export function timetableOf(source: Occurrences, after: number, most: number): TimetableEntry[] {
  const entries: TimetableEntry[] = [];
  let since = after;
  while (entries.length < most) {
    const next = source.occurrenceAfter(since);
    if (next === null) break;
    for (const { wall } of source.leftOutBetween(since, next.instant, most - entries.length)) {
      entries.push({ at: null, wall: formatWallTime(wall), note: 'skipped', clockChangeMs: 0 });
    }
    if (entries.length < most) entries.push(entryOf(source, next, since));
    since = next.instant;
  }
  return entries;
}

function entryOf(source: Occurrences, next: Occurrence, since: number): TimetableEntry {
  const { zone } = source;
  return {
    at: new Date(next.instant),
    wall: formatWallTime(next.wall),
    note: clockNoteOf(source, next),
    clockChangeMs: zone.offsetAt(next.instant) - zone.offsetAt(since),
  };
}

/** What a clock change makes of a time; null where there is none. */
export function clockNoteOf(
  { zone, missingTime }: Occurrences,
  { instant, wall }: Occurrence,
): ClockNote | null {
  const showing = zone.whenShowing(wall);
  switch (showing.kind) {
    case 'once':
      return null;
    case 'never':
      return missingTime;
    case 'twice':
      return showing.first === instant ? 'first-of-two' : 'second-of-two';
  }
}
