// Rules by the second, minute and hour: a start plus multiples of an interval, independent of clock changes.

import type { CheckedFields } from './checked-fields.js';
import type { MissingTime, RepeatedTime } from './fields.js';
import type { Occurrence, Occurrences } from './occurrences.js';
import { dayMs, dayOf, lastSecondMs, weekdayOf } from './time/wall-time.js';
import type { Zone } from './time/zone.js';

const unitMs = { secondly: 1000, minutely: 60_000, hourly: 3_600_000 } as const;

/** The units of rules that count elapsed time. */
export type ElapsedUnit = keyof typeof unitMs;

/** The search for a rule that may never fall on its weekdays ends here. */
const searchMs = 30 * 366 * dayMs;

export function isElapsed(everyUnit: string): everyUnit is ElapsedUnit {
  return Object.hasOwn(unitMs, everyUnit);
}

export class ElapsedRule implements Occurrences {
  readonly zone: Zone;
  readonly missingTime: MissingTime;
  readonly repeatedTime: RepeatedTime;
  readonly isElapsed = true;
  readonly isInterval = true;
  readonly #startMs: number;
  readonly #everyMs: number;
  readonly #weekdays: readonly number[];
  readonly #count: number | null;
  /** No occurrence is later; `#count` may end it earlier. */
  readonly #untilMs: number;
  /** The instant of the last of `#count` occurrences, calculated once. */
  #lastMs: number | undefined;

  constructor(fields: CheckedFields, unit: ElapsedUnit) {
    const { zone, untilWall } = fields;
    this.zone = zone;
    this.missingTime = fields.missingTime;
    this.repeatedTime = fields.repeatedTime;
    this.#startMs = zone.instantOf(fields.startWall);
    this.#everyMs = fields.every * unitMs[unit];
    this.#weekdays = fields.weekdays;
    this.#count = fields.count;
    this.#untilMs = Number.isFinite(untilWall) ? zone.instantOf(untilWall) : lastSecondMs;
  }

  occurrenceAfter(after: number): Occurrence | null {
    const step = Math.max(0, Math.floor((after - this.#startMs) / this.#everyMs) + 1);
    const instant = this.#nthFrom(step, 1);
    const isOver = instant > this.#untilMs || instant > lastSecondMs || instant > this.#last();
    return isOver ? null : { instant, wall: instant + this.zone.offsetAt(instant) };
  }

  /** Always empty: elapsed time ignores clock changes. */
  skippedBetween(): Occurrence[] {
    return [];
  }

  #last(): number {
    this.#lastMs ??= this.#count === null ? Number.POSITIVE_INFINITY : this.#nthFrom(0, this.#count);
    return this.#lastMs;
  }

  /** The `n`th occurrence that is not before step `first`; infinity if none is found. */
  #nthFrom(first: number, n: number): number {
    if (this.#weekdays.length === 0) return this.#at(first + n - 1);
    let remaining = n;
    for (const [since, until] of this.#allowedDays(this.#at(first))) {
      const step = this.#stepFrom(since);
      const steps = this.#stepFrom(until) - step;
      if (remaining <= steps) return this.#at(step + remaining - 1);
      remaining -= steps;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The local days from an instant on that are one of the weekdays, split where the clocks change. */
  *#allowedDays(from: number): Generator<readonly [since: number, until: number]> {
    const end = Math.min(from + searchMs, lastSecondMs);
    for (let since = from; since <= end; ) {
      const { offsetMs, until: steadyUntil } = this.zone.spanAt(since);
      const day = dayOf(since + offsetMs);
      const until = Math.min(steadyUntil, (day + 1) * dayMs - offsetMs);
      if (this.#weekdays.includes(weekdayOf(day))) yield [since, until];
      since = until;
    }
  }

  #at(step: number): number {
    return this.#startMs + step * this.#everyMs;
  }

  /** The first step that is not before an instant. */
  #stepFrom(instant: number): number {
    return Math.ceil((instant - this.#startMs) / this.#everyMs);
  }
}
