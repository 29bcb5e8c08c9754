// Rules by the years' Easter: as many days before or after it as the start is.

import { easterSunday } from './easter.js';
import { dayMs, dayOf, modulo, yearOf } from './wall-time.js';
import type { WallTimes } from './wall-times.js';

/** How many days after (or, when negative, before) the Easter of its year a day is. */
export function daysAfterEaster(day: number): number {
  return day - easterSunday(yearOf(day));
}

/**
 * The wall times of an `easterly` rule: one every so many years, counted from the year of its start.
 *
 * Source: the original's recurrence "relative to Easter".
 */
export class EasterTimes implements WallTimes {
  readonly #startWall: number;
  readonly #every: number;
  readonly #offset: number;

  constructor({ startWall, every }: { readonly startWall: number; readonly every: number }) {
    this.#startWall = startWall;
    this.#every = every;
    this.#offset = daysAfterEaster(dayOf(startWall));
  }

  firstFrom(wall: number): number {
    // The year that this would be the Easter of; its Easter may have passed.
    const years = yearOf(dayOf(wall) - this.#offset) - yearOf(dayOf(this.#startWall));
    const n = Math.max(1, Math.ceil(years / this.#every) + 1);
    const found = this.nth(n);
    return found >= wall ? found : this.nth(n + 1);
  }

  nth(n: number): number {
    const year = yearOf(dayOf(this.#startWall)) + (n - 1) * this.#every;
    if (year > 9999) return Number.POSITIVE_INFINITY;
    return (easterSunday(year) + this.#offset) * dayMs + modulo(this.#startWall, dayMs);
  }
}
