// Rules that go by the clock on the wall: their wall times, brought to the clocks of a zone.

import type { MissingTime, RepeatedTime } from './fields.js';
import { lastSecondMs } from './wall-time.js';
import type { WallTimes } from './wall-times.js';
import { farthestMs, type Span, type Zone } from './zone.js';

/** What the clocks of a zone make of wall times, and which of these count. */
export interface CalendarOptions {
  readonly zone: Zone;
  readonly startWall: number;
  readonly untilWall: number;
  readonly count: number | null;
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
}

/** One wall time of a rule that became an instant. */
export interface Occurrence {
  readonly instant: number;
  /** What the clocks should have shown; they show something else at `instant` when they skip that. */
  readonly wall: number;
}

/**
 * Goes through the spans of time in which the zone's offset stays the same. Within one, later wall times are later
 * instants; around a change that is not so: 02:45 shifted by an hour comes after 03:15, and 02:00 the second time
 * comes after 02:45 the first time.
 */
export class CalendarRule {
  readonly #walls: WallTimes;
  readonly #options: CalendarOptions;
  /** The wall time of the last of `count` occurrences, once it was worked out. */
  #lastWall: number | undefined;

  constructor(walls: WallTimes, options: CalendarOptions) {
    this.#walls = walls;
    this.#options = options;
  }

  /** The first occurrence strictly later than `after`; null if there is none. Both in milliseconds since 1970 UTC. */
  nextAfter(after: number): number | null {
    return this.occurrenceAfter(after)?.instant ?? null;
  }

  /** As {@link nextAfter}, with the wall time that it comes from; of several that become one instant, the earliest. */
  occurrenceAfter(after: number): Occurrence | null {
    const { zone } = this.#options;
    for (let from = after + 1; ; ) {
      const shown = from + zone.offsetAt(from);
      const isSteady = zone.isSteadyAround(from);
      // No wall time before this one can become an instant from `from` on.
      const wall = this.wallFrom(isSteady ? shown : shown - farthestMs);
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
  wallFrom(wall: number): number {
    const first = Math.max(wall, this.#options.startWall);
    const last = Math.min(this.#options.untilWall, this.#endOfCount(), lastSecondMs);
    const found = first > last ? Number.POSITIVE_INFINITY : this.#walls.firstFrom(first);
    return found > last ? Number.POSITIVE_INFINITY : found;
  }

  /** The wall times that are left out between two instants, since the clocks skip them; at most `most`. */
  leftOutBetween(from: number, to: number, most: number): Occurrence[] {
    const { zone, missingTime } = this.#options;
    const leftOut: Occurrence[] = [];
    if (missingTime !== 'skipped') return leftOut;
    for (const { at, offsetBeforeMs, offsetMs } of zone.changesBetween(from, to)) {
      let wall = this.wallFrom(at + offsetBeforeMs);
      for (; wall < at + offsetMs && leftOut.length < most; wall = this.wallFrom(wall + 1)) {
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
    const { zone, repeatedTime } = this.#options;
    let first = from + offsetMs;
    let end = until + offsetMs;
    if (repeatedTime === 'first') first = Math.max(first, since + zone.offsetAt(since - 1));
    if (repeatedTime === 'second') end = Math.min(end, until + zone.offsetAt(until));
    const wall = this.wallFrom(first);
    return wall < end ? { instant: wall - offsetMs, wall } : null;
  }

  /** The first of the wall times that the clocks skip at the beginning of the span. */
  #missingBefore({ offsetMs, since }: Span, from: number): Occurrence | null {
    const { zone, missingTime } = this.#options;
    const offsetBefore = zone.offsetAt(since - 1);
    if (missingTime === 'skipped' || offsetBefore >= offsetMs) return null;
    const isPast = from + offsetBefore >= since + offsetMs;
    if (isPast || (missingTime === 'at-jump' && from > since)) return null;
    const wall = this.wallFrom(from + offsetBefore);
    if (wall >= since + offsetMs) return null;
    return { instant: missingTime === 'shifted' ? wall - offsetBefore : since, wall };
  }

  #endOfCount(): number {
    if (this.#options.count === null) return Number.POSITIVE_INFINITY;
    this.#lastWall ??= this.#walls.nth(this.#options.count);
    return this.#lastWall;
  }
}

function earlier(a: Occurrence, b: Occurrence): boolean {
  return a.instant < b.instant || (a.instant === b.instant && a.wall < b.wall);
}
