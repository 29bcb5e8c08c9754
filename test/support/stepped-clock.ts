// What the clocks of a zone show, found out slowly: luxon is asked about every quarter of an hour.

import { IANAZone } from 'luxon';
import type { MissingTime, RepeatedTime } from '../../src/recurrence/recurrence.js';

const quarterMs = 15 * 60_000;
const dayMs = 86_400_000;

/** Wall times that a rule means, all at whole quarters of an hour. */
export interface MeantTimes {
  /** Whether the calendar has the rule on a day (of UTC) and at a time of day, `02:30`. */
  fits(day: Date, time: string): boolean;
}

/** What the clocks of a zone show at each quarter of an hour. */
export class SteppedClock {
  /** Wall times as numbers, and the instants at which they are shown. */
  readonly #shown = new Map<number, number[]>();
  /** Each instant at which the clocks jumped over wall times, with those before and after it. */
  readonly #jumps: Array<{ at: number; lastWall: number; offsetBefore: number; wall: number }> = [];
  readonly #meant = new Map<MeantTimes, readonly number[]>();
  readonly #from: number;
  readonly #until: number;
  changes = 0;

  constructor(timezone: string, from: number, until: number) {
    const zone = IANAZone.create(timezone);
    [this.#from, this.#until] = [from, until];
    let offsetBefore = zone.offset(from) * 60_000;
    for (let at = from; at < until; at += quarterMs) {
      const offset = zone.offset(at) * 60_000;
      const wall = at + offset;
      if (offset !== offsetBefore) this.changes++;
      if (offset > offsetBefore)
        this.#jumps.push({ at, lastWall: at - quarterMs + offsetBefore, offsetBefore, wall });
      this.#shown.set(wall, [...(this.#shown.get(wall) ?? []), at]);
      offsetBefore = offset;
    }
  }

  /** All instants at which a rule is due, in order, each once. */
  due(rule: MeantTimes, missing: MissingTime, repeated: RepeatedTime, startWall: number): number[] {
    const instants = new Set<number>();
    for (const wall of this.#wallsOf(rule)) {
      if (wall < startWall) continue;
      for (const instant of this.#instantsOf(wall, missing, repeated)) instants.add(instant);
    }
    return [...instants].sort((a, b) => a - b);
  }

  /** The wall times that a rule means. They are looked for once, and then asked for with each choice. */
  #wallsOf(rule: MeantTimes): readonly number[] {
    const known = this.#meant.get(rule);
    if (known !== undefined) return known;
    const walls: number[] = [];
    for (let wall = this.#from + dayMs; wall < this.#until - dayMs; wall += quarterMs) {
      const day = new Date(wall);
      if (rule.fits(day, day.toISOString().slice(11, 16))) walls.push(wall);
    }
    this.#meant.set(rule, walls);
    return walls;
  }

  #instantsOf(wall: number, missing: MissingTime, repeated: RepeatedTime): number[] {
    const shown = this.#shown.get(wall) ?? [];
    if (shown.length === 1) return shown;
    if (shown.length === 2)
      return repeated === 'both' ? shown : shown.slice(...(repeated === 'first' ? [0, 1] : [1, 2]));
    const jump = this.#jumps.find(({ lastWall, wall: next }) => lastWall < wall && wall < next);
    if (jump === undefined || missing === 'skipped') return [];
    return [missing === 'at-jump' ? jump.at : wall - jump.offsetBefore];
  }
}
