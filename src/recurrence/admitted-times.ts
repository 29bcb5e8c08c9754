// The times of a recurrence of which some are excluded: what becomes of each.

import type { Exclusion, Exclusions } from './exclusions.js';
import { latestUpTo, type Occurrence, type Occurrences } from './occurrences.js';
import { dayMs } from './wall-time.js';
import { farthestMs } from './zone.js';

/** What becomes of a time of the recurrence. Instants in milliseconds since 1970 UTC. */
export type Fate =
  | { readonly kind: 'due'; readonly own: Occurrence; readonly at: number }
  /** The clocks skip it, and so does the recurrence; its instant is that of the clock change. */
  | { readonly kind: 'skipped'; readonly own: Occurrence }
  /** It is excluded, and due later. */
  | { readonly kind: 'put-off'; readonly own: Occurrence; readonly at: number; readonly by: string }
  /** It is excluded and left out, as are all others before `until`. */
  | {
      readonly kind: 'left-out';
      readonly own: Occurrence;
      readonly until: number;
      readonly by: string;
      /** The due time that comes before it could be made up for, or just then; null where nothing makes up for it. */
      readonly instead: number | null;
    };

/** Where so many times in a row are excluded, nobody looks further. */
const maxSteps = 10_000;
/** Nothing is put off for longer; see exclusions.ts. */
const farthestPutOffMs = 400 * dayMs;

/**
 * A time is excluded by what the clocks show then. One that is put off comes to nothing where the recurrence is due at
 * another time before, or just then. Of an interval, which comes again soon, only the last of the times that are excluded
 * together is put off.
 */
export class AdmittedTimes {
  readonly #own: Occurrences;
  readonly #exclusions: Exclusions;
  readonly #puttingOff: boolean;

  constructor(own: Occurrences, exclusions: Exclusions, onExcluded: 'skip' | 'postpone') {
    this.#own = own;
    this.#exclusions = exclusions;
    this.#puttingOff = onExcluded === 'postpone';
  }

  /** The first due time strictly later than `after`; null if there is none, or none is found. */
  nextAfter(after: number): number | null {
    if (this.#exclusions.isEmpty) return this.#own.occurrenceAfter(after)?.instant ?? null;
    let earliest = Number.POSITIVE_INFINITY;
    let steps = 0;
    for (const fate of this.fatesAfter(this.reachOver(after))) {
      if (fate.own.instant >= earliest || steps++ > maxSteps) break;
      if (fate.kind === 'skipped' || fate.kind === 'left-out' || fate.at <= after) continue;
      earliest = Math.min(earliest, fate.at);
      if (fate.kind === 'due') break;
    }
    return Number.isFinite(earliest) ? earliest : null;
  }

  /** What becomes of the times of the recurrence later than `after`, in their order. */
  *fatesAfter(after: number): Generator<Fate, void, undefined> {
    const putOffTo = new Set<number>();
    let since = after;
    for (let own = this.#own.occurrenceAfter(after); own !== null; ) {
      for (const skipped of this.#own.leftOutBetween(since, own.instant, maxSteps)) {
        yield { kind: 'skipped', own: skipped };
      }
      const fate = this.#fateOf(own);
      if (fate.kind === 'put-off' && putOffTo.has(fate.at)) {
        yield { kind: 'left-out', own, until: own.instant + 1, by: fate.by, instead: fate.at };
      } else {
        yield fate;
        if (fate.kind === 'put-off') putOffTo.add(fate.at);
        else if (fate.kind === 'due') putOffTo.clear();
      }
      since = fate.kind === 'left-out' ? fate.until - 1 : own.instant;
      own = this.#own.occurrenceAfter(since);
    }
  }

  /** No time up to this instant is put off to later than `after`. */
  reachOver(after: number): number {
    if (!this.#puttingOff) return after;
    const { zone } = this.#own;
    const offset = zone.offsetAt(after);
    const shown = after + offset;
    // Near a clock change wall times and instants need not be in the same order.
    const slack = zone.isSteadyAround(after) ? 0 : farthestMs;
    const reach = this.#exclusions.reachOver(shown - slack);
    if (reach >= shown) return after;
    const since = Math.min(reach - offset, reach - zone.offsetAt(reach - offset)) - 1;
    if (!this.#own.isInterval) return since;
    // There may be many of them; but what is not excluded ends what was put off before.
    const latest = this.#lastUpTo(after, since);
    return latest === null || this.#exclusionAt(latest) === undefined ? after : since;
  }

  /** For how long after an instant nothing begins to be excluded, up to `most`. */
  freeFor(at: number, most: number): number {
    if (this.#exclusions.isEmpty) return most;
    const { zone } = this.#own;
    const offset = zone.offsetAt(at);
    const shown = at + offset;
    const free = Math.min(most, this.#exclusions.beginAfter(shown, shown + most) - shown);
    // Behind a clock change the clocks show something else.
    return zone.offsetAt(at + free) === offset ? free : Math.min(free, zone.steadyUntil(at) - at);
  }

  #fateOf(own: Occurrence): Exclude<Fate, { kind: 'skipped' }> {
    const exclusion = this.#exclusionAt(own.instant);
    if (exclusion === undefined) return { kind: 'due', own, at: own.instant };
    const by = exclusion.text;
    const end = this.#endOf(exclusion, own.instant);
    if (!this.#puttingOff) return { kind: 'left-out', own, until: end, by, instead: null };
    const last = this.#own.isInterval ? this.#lastUpTo(end - 1, own.instant) : null;
    if (last !== null) return { kind: 'left-out', own, until: last, by, instead: null };
    const at = this.#putOff(own.instant);
    const until = own.instant + 1;
    if (at === null) return { kind: 'left-out', own, until, by, instead: null };
    const instead = this.#admittedBetween(own.instant, at);
    return instead === null
      ? { kind: 'put-off', own, at, by }
      : { kind: 'left-out', own, until, by, instead };
  }

  #exclusionAt(instant: number): Exclusion | undefined {
    return this.#exclusions.at(instant + this.#own.zone.offsetAt(instant));
  }

  /** Up to where all is excluded by the same, as far as the clocks run on evenly. */
  #endOf(exclusion: Exclusion, instant: number): number {
    const { zone } = this.#own;
    const offset = zone.offsetAt(instant);
    return Math.min(exclusion.endOf(instant + offset) - offset, zone.steadyUntil(instant));
  }

  #lastUpTo(at: number, since: number): number | null {
    return latestUpTo(at, since, (after) => this.#own.occurrenceAfter(after)?.instant ?? null);
  }

  /** Where an excluded instant is put off to; null if that is too far. */
  #putOff(instant: number): number | null {
    const { zone } = this.#own;
    for (let at = instant; at - instant <= farthestPutOffMs; ) {
      const shown = at + zone.offsetAt(at);
      const wall = this.#exclusions.postponed(shown);
      if (wall === null) return null;
      if (wall === shown) return at;
      at = this.#instantOf(wall, at);
    }
    return null;
  }

  /** When the clocks show a wall time that is later than what they show at `after`. */
  #instantOf(wall: number, after: number): number {
    const { zone, missingTime } = this.#own;
    const showing = zone.whenShowing(wall);
    switch (showing.kind) {
      case 'once':
        return showing.instant;
      case 'twice':
        return showing.first > after ? showing.first : showing.second;
      case 'never':
        return missingTime === 'at-jump' ? showing.jump : showing.shifted;
    }
  }

  /** The first time of the recurrence later than `from` and up to `to` that is not excluded. */
  #admittedBetween(from: number, to: number): number | null {
    for (let after = from; ; ) {
      const own = this.#own.occurrenceAfter(after);
      if (own === null || own.instant > to) return null;
      const exclusion = this.#exclusionAt(own.instant);
      if (exclusion === undefined) return own.instant;
      after = this.#endOf(exclusion, own.instant) - 1;
    }
  }
}
