// Rules by the calendar: converts their wall times to instants in a zone.

import { nthWallTime, type WallTimes, wallTimesOf } from './calendar-times.js';
import type { CheckedFields } from './checked-fields.js';
import type { MissingTime, RepeatedTime } from './fields.js';
import type { Occurrence, Occurrences } from './occurrences.js';
import { lastSecondMs } from './time/wall-time.js';
import { farthestMs, type Span, type Zone } from './time/zone.js';

/**
 * Walks through the spans in which the zone's offset is constant. Within a span, wall times and instants have
 * the same order. Around a clock change they may not: 02:45 shifted by an hour comes after 03:15, and the
 * second 02:00 comes after the first 02:45.
 */
export class CalendarRule implements Occurrences {
  readonly zone: Zone;
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
  readonly isElapsed = false;
  readonly isInterval: boolean;
  readonly #walls: WallTimes;
  readonly #fields: CheckedFields;
  /** The wall time of the last of `count` occurrences, calculated once. */
  #lastWall: number | undefined;

  constructor(fields: CheckedFields) {
    this.zone = fields.zone;
    this.missingTime = fields.missingTime;
    this.repeatedTime = fields.repeatedTime;
    this.isInterval = fields.cron?.isInterval ?? false;
    this.#walls = wallTimesOf(fields);
    this.#fields = fields;
  }

  /**
   * The first occurrence strictly later than `after`; of several at one instant, that with the earliest wall
   * time.
   */
  occurrenceAfter(after: number): Occurrence | null {
    const { zone } = this;
    for (let from = after + 1; ; ) {
      const shown = from + zone.offsetAt(from);
      const isSteady = zone.isSteadyAround(from);
      // No earlier wall time becomes an instant at or after `from`.
      const wall = this.#wallFrom(isSteady ? shown : shown - farthestMs);
      if (wall === Number.POSITIVE_INFINITY) return null;
      // No wall time from `wall` on becomes an earlier instant.
      const earliest = Math.max(from, wall - farthestMs);
      const span = zone.spanAt(earliest);
      const found = this.#firstIn(span, earliest);
      if (found !== null) return found;
      from = span.until;
    }
  }

  /** The rule's first valid wall time that is not before `wall`; infinity if there is none. */
  #wallFrom(wall: number): number {
    const first = Math.max(wall, this.#fields.startWall);
    const last = Math.min(this.#fields.untilWall, this.#endOfCount(), lastSecondMs);
    const found = first > last ? Number.POSITIVE_INFINITY : this.#walls.firstFrom(first);
    return found > last ? Number.POSITIVE_INFINITY : found;
  }

  /** The wall times between two instants that the clocks and the rule skip; at most `maxCount`. */
  skippedBetween(from: number, to: number, maxCount: number): Occurrence[] {
    const { zone, missingTime } = this;
    const skipped: Occurrence[] = [];
    if (missingTime !== 'skipped') return skipped;
    for (const { at, offsetBeforeMs, offsetMs } of zone.changesBetween(from, to)) {
      let wall = this.#wallFrom(at + offsetBeforeMs);
      for (; wall < at + offsetMs && skipped.length < maxCount; wall = this.#wallFrom(wall + 1)) {
        skipped.push({ instant: at, wall });
      }
    }
    return skipped;
  }

  /** The first occurrence in a span that is not before `from`, which lies in the span. */
  #firstIn(span: Span, from: number): Occurrence | null {
    const candidates = [this.#shownIn(span, from), this.#missingBefore(span, from)];
    return candidates.reduce((a, b) => (a === null || (b !== null && earlier(b, a)) ? b : a));
  }

  /** The first wall time that the clocks show in the span, without the repeated ones that do not count. */
  #shownIn({ offsetMs, since, until }: Span, from: number): Occurrence | null {
    const { zone, repeatedTime } = this;
    let first = from + offsetMs;
    let end = until + offsetMs;
    if (repeatedTime === 'first') first = Math.max(first, since + zone.offsetAt(since - 1));
    if (repeatedTime === 'second') end = Math.min(end, until + zone.offsetAt(until));
    const wall = this.#wallFrom(first);
    return wall < end ? { instant: wall - offsetMs, wall } : null;
  }

  /** The first wall time that the clocks skip at the beginning of the span. */
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
