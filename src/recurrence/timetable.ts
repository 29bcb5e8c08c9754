// When a recurrence is due, one time after the other, with what clock changes make of it.

import type { Occurrence } from './calendar.js';
import type { MissingTime } from './fields.js';
import { formatWallTime } from './wall-time.js';
import type { Showing, Zone } from './zone.js';

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

/** What a timetable is made of. Instants and wall times as numbers, as in wall-time.ts. */
export interface TimetableSource {
  readonly zone: Zone;
  readonly missingTime: MissingTime;
  occurrenceAfter(after: number): Occurrence | null;
  leftOutBetween(from: number, to: number, most: number): Occurrence[];
}

/** The entries after an instant, at most `most`. */
export function timetableOf(source: TimetableSource, after: number, most: number): TimetableEntry[] {
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

function entryOf(
  { zone, missingTime }: TimetableSource,
  { instant, wall }: Occurrence,
  since: number,
): TimetableEntry {
  return {
    at: new Date(instant),
    wall: formatWallTime(wall),
    note: noteOf(zone.whenShowing(wall), instant, missingTime),
    clockChangeMs: zone.offsetAt(instant) - zone.offsetAt(since),
  };
}

function noteOf(showing: Showing, instant: number, missingTime: MissingTime): ClockNote | null {
  switch (showing.kind) {
    case 'once':
      return null;
    case 'never':
      return missingTime;
    case 'twice':
      return showing.first === instant ? 'first-of-two' : 'second-of-two';
  }
}
