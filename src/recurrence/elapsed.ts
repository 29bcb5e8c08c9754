// Rules by the second, minute and hour: an instant plus so many times a length, whatever the clocks on the wall do.

import type { Occurrence } from './calendar.js';
import type { CheckedFields } from './fields.js';
import { dayMs, lastSecondMs, modulo, weekMs } from './wall-time.js';
import { WeekCycle } from './week-cycle.js';
import type { Zone } from './zone.js';

const unitMs = { secondly: 1000, minutely: 60_000, hourly: 3_600_000 } as const;

/** Units of which a rule counts elapsed time. */
export type ElapsedUnit = keyof typeof unitMs;

/** How far a rule with weekdays is looked for: after that many years the calendar begins anew. */
const searchMs = 146_097 * dayMs;

/** 1 January 1970 was a Thursday. */
const mondayToEpochMs = 3 * dayMs;

export class ElapsedRule {
  readonly #zone: Zone;
  readonly #startMs: number;
  readonly #everyMs: number;
  /** Undefined when every weekday is allowed. */
  readonly #weekCycle: WeekCycle | undefined;
  readonly #count: number | null;
  /** No occurrence is later, unless `#count` ends it earlier. */
  readonly #untilMs: number;
  /** The instant of the last of `#count` occurrences, once it was worked out. */
  #lastMs: number | undefined;

  constructor(fields: CheckedFields, unit: ElapsedUnit) {
    const { zone } = fields;
    this.#zone = zone;
    this.#startMs = firstInstant(zone, fields.startWall);
    this.#everyMs = fields.every * unitMs[unit];
    this.#weekCycle =
      fields.weekdays.length === 0 ? undefined : new WeekCycle(this.#everyMs, fields.weekdays);
    this.#count = fields.count;
    this.#untilMs = Math.min(lastSecondMs, firstInstant(zone, fields.untilWall));
  }

  /** The first occurrence strictly later than `after`; null if there is none. Both in milliseconds since 1970 UTC. */
  nextAfter(after: number): number | null {
    const passed = Math.floor((after - this.#startMs) / this.#everyMs);
    const next = this.#nthFrom(Math.max(0, passed + 1), 1);
    return next <= this.#untilMs && next <= this.#last() ? next : null;
  }

  /** As {@link nextAfter}, with what the clocks show then. */
  occurrenceAfter(after: number): Occurrence | null {
    const instant = this.nextAfter(after);
    return instant === null ? null : { instant, wall: instant + this.#zone.offsetAt(instant) };
  }

  /** Nothing is: elapsed time takes no notice of clock changes. */
  leftOutBetween(): Occurrence[] {
    return [];
  }

  #last(): number {
    if (this.#count === null) return Number.POSITIVE_INFINITY;
    this.#lastMs ??= this.#nthFrom(0, this.#count);
    return this.#lastMs;
  }

  /** The `n`th occurrence that is not before step `from`; infinity if there is none as far as rules reach. */
  #nthFrom(from: number, n: number): number {
    const cycle = this.#weekCycle;
    if (cycle === undefined) return this.#at(from + n - 1);
    const horizon = Math.min(this.#at(from) + searchMs, lastSecondMs);
    let left = n;
    for (let step = from; this.#at(step) <= horizon; ) {
      const phase = this.#phaseAt(step);
      const end = Math.ceil((this.#zone.steadyUntil(this.#at(step)) - this.#startMs) / this.#everyMs);
      const found = cycle.nth(phase, left);
      if (found !== undefined && step + found < end) return this.#at(step + found);
      if (end === Number.POSITIVE_INFINITY) break;
      left -= cycle.count(phase, end - step);
      step = end;
    }
    return Number.POSITIVE_INFINITY;
  }

  #at(step: number): number {
    return this.#startMs + step * this.#everyMs;
  }

  /** How much of the local week has passed at a step. */
  #phaseAt(step: number): number {
    const instant = this.#at(step);
    return modulo(instant + this.#zone.offsetAt(instant) + mondayToEpochMs, weekMs);
  }
}

/** A wall time that is missing is shifted by the offset from before, one that comes twice is the first. */
function firstInstant(zone: Zone, wall: number): number {
  if (!Number.isFinite(wall)) return wall;
  const showing = zone.whenShowing(wall);
  if (showing.kind === 'once') return showing.instant;
  return showing.kind === 'twice' ? showing.first : showing.shifted;
}
