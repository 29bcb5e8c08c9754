// Rules that go by the clock on the wall: their wall times, brought to the clocks of a zone.

import type { CheckedFields } from './checked-fields.js';
import type { MissingTime, RepeatedTime } from './fields.js';
import type { Occurrence, Occurrences } from './occurrences.js';
import { lastSecondMs } from './wall-time.js';
import { nthWallTime, type WallTimes, wallTimesOf } from './wall-times.js';
import { farthestMs, type Span, type Zone } from './zone.js';

/**
 * Goes through the spans of time in which the zone's offset stays the same. Within one, later wall times are later
 * instants; around a change that is not so: 02:45 shifted by an hour comes after 03:15, and 02:00 the second time
 * comes after 02:45 the first time.
 */
export class CalendarRule implements Occurrences {
  readonly zone: Zone;
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
  readonly isElapsed = false;
  readonly isInterval: boolean;
  readonly #walls: WallTimes;
  readonly #fields: CheckedFields;
  /** The wall time of the last of `count` occurrences, once it was worked out. */
  #lastWall: number | undefined;

  constructor(fields: CheckedFields) {
    this.zone = fields.zone;
    this.missingTime = fields.missingTime;
    this.repeatedTime = fields.repeatedTime;
    this.isInterval = fields.cron?.isInterval ?? false;
    this.#walls = wallTimesOf(fields);
    this.#fields = fields;
  }

  /** The first occurrence strictly later than `after`; of several that become one instant, the earliest wall time. */
  occurrenceAfter(after: number): Occurrence | null {
    const { zone } = this;
    for (let from = after + 1; ; ) {
      const shown = from + zone.offsetAt(from);
      const isSteady = zone.isSteadyAround(from);
      // No wall time before this one can become an instant from `from` on.
      const wall = this.#wallFrom(isSteady ? shown : shown - farthestMs);
      if (wall === Number.POSITIVE_INFINITY) return null;
      // Nor can any of them before this instant.
      const earliest = Math.max(from, wall - farthestMs);
      const span = zone.spanAt(earliest);
      const found = this.#firstIn(span, earliest);
      if (found !== null) return found;
      from = span.until;
    }
  }

  /** The rule's first wall time that is not before `wall` and still counts; infinity if there is none. */
  #wallFrom(wall: number): number {
    const first = Math.max(wall, this.#fields.startWall);
    const last = Math.min(this.#fields.untilWall, this.#endOfCount(), lastSecondMs);
    const found = first > last ? Number.POSITIVE_INFINITY : this.#walls.firstFrom(first);
    return found > last ? Number.POSITIVE_INFINITY : found;
  }

  /** The wall times that are left out between two instants, since the clocks skip them; at most `most`. */
  leftOutBetween(from: number, to: number, most: number): Occurrence[] {
    const { zone, missingTime } = this;
    const leftOut: Occurrence[] = [];
    if (missingTime !== 'skipped') return leftOut;
    for (const { at, offsetBeforeMs, offsetMs } of zone.changesBetween(from, to)) {
      let wall = this.#wallFrom(at + offsetBeforeMs);
      for (; wall < at + offsetMs && leftOut.length < most; wall = this.#wallFrom(wall + 1)) {
        leftOut.push({ instant: at, wall });
      }
    }
    return leftOut;
  }

  /** The first occurrence in a span that is not before `from`, which lies in it. */
  #firstIn(span: Span, from: number): Occurrence | null {
    const candidates = [this.#shownIn(span, from), this.#missingBefore(span, from)];
    return candidates.reduce((a, b) => (a === null || (b !== null && earlier(b, a)) ? b : a));
  }

  /** The first of the wall times that the clocks show in the span, but for the repeated ones that do not count. */
  #shownIn({ offsetMs, since, until }: Span, from: number): Occurrence | null {
    const { zone, repeatedTime } = this;
    let first = from + offsetMs;
    let end = until + offsetMs;
    if (repeatedTime === 'first') first = Math.max(first, since + zone.offsetAt(since - 1));
    if (repeatedTime === 'second') end = Math.min(end, until + zone.offsetAt(until));
    const wall = this.#wallFrom(first);
    return wall < end ? { instant: wall - offsetMs, wall } : null;
  }

  /** The first of the wall times that the clocks skip at the beginning of the span. */
  #missingBefore({ offsetMs, since }: Span, from: number): Occurrence | null {
    const { zone, missingTime } = this;
    const offsetBefore = zone.offsetAt(since - 1);
    if (missingTime === 'skipped' || offsetBefore >= offsetMs) return null;
    const isPast = from + offsetBefore >= since + offsetMs;
    if (isPast || (missingTime === 'at-jump' && from > since)) return null;
    const wall = this.#wallFrom(from + offsetBefore);
    if (wall >= since + offsetMs) return null;
    return { instant: missingTime === 'shifted' ? wall - offsetBefore : since, wall };
  }

  #endOfCount(): number {
    const { count } = this.#fields;
    this.#lastWall ??=
      count === null ? Number.POSITIVE_INFINITY : nthWallTime(this.#walls, this.#fields.startWall, count);
    return this.#lastWall;
  }
}

function earlier(a: Occurrence, b: Occurrence): boolean {
  return a.instant < b.instant || (a.instant === b.instant && a.wall < b.wall);
}
