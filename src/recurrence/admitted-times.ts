// Applies exclusions to the times of a recurrence.

import type { Exclusion, Exclusions } from './exclusions.js';
import { latestUpTo, type Occurrence, type Occurrences } from './occurrences.js';
import { dayMs } from './time/wall-time.js';
import { farthestMs } from './time/zone.js';

/** The outcome of one time of the recurrence. Instants in ms since 1970 UTC. */
export type Outcome =
  | { readonly kind: 'due'; readonly own: Occurrence; readonly at: number }
  /** The clocks skip it, and the recurrence does too; its instant is that of the clock change. */
  | { readonly kind: 'missing'; readonly own: Occurrence }
  /** It is excluded, and due later. */
  | { readonly kind: 'postponed'; readonly own: Occurrence; readonly at: number; readonly by: string }
  /** It is excluded and skipped, as are all others before `until`. */
  | {
      readonly kind: 'skipped';
      readonly own: Occurrence;
      readonly until: number;
      readonly by: string;
      /** The due time that comes first, before or at its postponed time; null where none replaces it. */
      readonly instead: number | null;
    };

/** The search ends after this many excluded times in a row. */
const maxSteps = 10_000;
/** The longest postponement; see exclusions.ts. */
const maxPostponeMs = 400 * dayMs;

/**
 * A time is excluded by what the clocks show at it. A postponed time is skipped if the recurrence is due by
 * itself before or at the new time. An interval comes again soon, so only the last of its consecutive
 * excluded times is postponed.
 */
export class AdmittedTimes {
  readonly #own: Occurrences;
  readonly #exclusions: Exclusions;
  readonly #postpones: boolean;

  constructor(own: Occurrences, exclusions: Exclusions, onExcluded: 'skip' | 'postpone') {
    this.#own = own;
    this.#exclusions = exclusions;
    this.#postpones = onExcluded === 'postpone';
  }

  /** The first due time strictly later than `after`; null if none is found. */
  nextAfter(after: number): number | null {
    if (this.#exclusions.isEmpty) return this.#own.occurrenceAfter(after)?.instant ?? null;
    let earliest = Number.POSITIVE_INFINITY;
    let steps = 0;
    for (const outcome of this.outcomesAfter(this.earliestPostponedPast(after))) {
      if (outcome.own.instant >= earliest || steps++ > maxSteps) break;
      if (outcome.kind === 'missing' || outcome.kind === 'skipped' || outcome.at <= after) continue;
      earliest = Math.min(earliest, outcome.at);
      if (outcome.kind === 'due') break;
    }
    return Number.isFinite(earliest) ? earliest : null;
  }

  /** The outcomes of the times of the recurrence later than `after`, in order. */
  *outcomesAfter(after: number): Generator<Outcome, void, undefined> {
    const postponedTo = new Set<number>();
    let since = after;
    for (let own = this.#own.occurrenceAfter(after); own !== null; ) {
      for (const skipped of this.#own.skippedBetween(since, own.instant, maxSteps)) {
        yield { kind: 'missing', own: skipped };
      }
      const outcome = this.#outcomeOf(own);
      if (outcome.kind === 'postponed' && postponedTo.has(outcome.at)) {
        yield { kind: 'skipped', own, until: own.instant + 1, by: outcome.by, instead: outcome.at };
      } else {
        yield outcome;
        if (outcome.kind === 'postponed') postponedTo.add(outcome.at);
        else if (outcome.kind === 'due') postponedTo.clear();
      }
      since = outcome.kind === 'skipped' ? outcome.until - 1 : own.instant;
      own = this.#own.occurrenceAfter(since);
    }
  }

  /** No time up to the result is postponed past `after`. */
  earliestPostponedPast(after: number): number {
    if (!this.#postpones) return after;
    const { zone } = this.#own;
    const offset = zone.offsetAt(after);
    const shown = after + offset;
    // Near a clock change, wall times and instants may differ in order.
    const slack = zone.isSteadyAround(after) ? 0 : farthestMs;
    const reach = this.#exclusions.earliestPostponedPast(shown - slack);
    if (reach >= shown) return after;
    const since = Math.min(reach - offset, reach - zone.offsetAt(reach - offset)) - 1;
    if (!this.#own.isInterval) return since;
    // Avoids walking through many times: one that is not excluded replaces all postponed ones before it.
    const latest = this.#lastUpTo(after, since);
    return latest === null || this.#exclusionAt(latest) === undefined ? after : since;
  }

  /** How long after an instant no exclusion begins, at most `maxMs`. */
  freeFor(at: number, maxMs: number): number {
    if (this.#exclusions.isEmpty) return maxMs;
    const { zone } = this.#own;
    const offset = zone.offsetAt(at);
    const shown = at + offset;
    const free = Math.min(maxMs, this.#exclusions.beginAfter(shown, shown + maxMs) - shown);
    // After a clock change the clocks show something else.
    return zone.offsetAt(at + free) === offset ? free : Math.min(free, zone.steadyUntil(at) - at);
  }

  #outcomeOf(own: Occurrence): Exclude<Outcome, { kind: 'missing' }> {
    const exclusion = this.#exclusionAt(own.instant);
    if (exclusion === undefined) return { kind: 'due', own, at: own.instant };
    const by = exclusion.text;
    const end = this.#endOf(exclusion, own.instant);
    if (!this.#postpones) return { kind: 'skipped', own, until: end, by, instead: null };
    const last = this.#own.isInterval ? this.#lastUpTo(end - 1, own.instant) : null;
    if (last !== null) return { kind: 'skipped', own, until: last, by, instead: null };
    const at = this.#postpone(own.instant);
    const until = own.instant + 1;
    if (at === null) return { kind: 'skipped', own, until, by, instead: null };
    const instead = this.#admittedBetween(own.instant, at);
    return instead === null
      ? { kind: 'postponed', own, at, by }
      : { kind: 'skipped', own, until, by, instead };
  }

  #exclusionAt(instant: number): Exclusion | undefined {
    return this.#exclusions.at(instant + this.#own.zone.offsetAt(instant));
  }

  /** The end of an exclusion, or the next clock change if that comes first. */
  #endOf(exclusion: Exclusion, instant: number): number {
    const { zone } = this.#own;
    const offset = zone.offsetAt(instant);
    return Math.min(exclusion.endOf(instant + offset) - offset, zone.steadyUntil(instant));
  }

  #lastUpTo(at: number, since: number): number | null {
    return latestUpTo(at, since, (after) => this.#own.occurrenceAfter(after)?.instant ?? null);
  }

  /** The new time of an excluded instant; null if that is too far away. */
  #postpone(instant: number): number | null {
    const { zone } = this.#own;
    for (let at = instant; at - instant <= maxPostponeMs; ) {
      const shown = at + zone.offsetAt(at);
      const wall = this.#exclusions.postponed(shown);
      if (wall === null) return null;
      if (wall === shown) return at;
      at = this.#instantOf(wall, at);
    }
    return null;
  }

  /** The instant at which the clocks show a wall time that is later than what they show at `after`. */
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
