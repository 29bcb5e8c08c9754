// Steps of equal length through the local week, as long as the offset stays: which of them are on given weekdays.

import { commonDivisor, dayMs, modulo, weekMs } from './wall-time.js';

/** A part of the week's cells, from `low` up to but without `high`. */
interface Range {
  readonly low: number;
  readonly high: number;
}

/**
 * Answers without stepping, however many steps there are. Steps of a given length reach only every so many
 * milliseconds of the week, their greatest common divisor with the week; those are the *cells*. After as many
 * steps as there are cells all have been met once, and everything begins anew.
 *
 * A *phase* is how many milliseconds of the local week, from Monday 00:00, have passed at step 0.
 */
export class WeekCycle {
  readonly #weekdays: readonly number[];
  readonly #cellMs: number;
  readonly #cells: number;
  /** How many cells one step goes on. */
  readonly #stride: number;

  /**
   * @param everyMs the length of a step, a positive whole number of milliseconds
   * @param weekdays 0 for Monday to 6 for Sunday
   */
  constructor(everyMs: number, weekdays: readonly number[]) {
    this.#weekdays = weekdays;
    this.#cellMs = commonDivisor(everyMs, weekMs);
    this.#cells = weekMs / this.#cellMs;
    this.#stride = modulo(everyMs / this.#cellMs, this.#cells);
  }

  /** How many of the first `steps` steps are on one of the weekdays. */
  count(phase: number, steps: number): number {
    const ranges = this.#ranges(phase);
    const rounds = Math.floor(steps / this.#cells);
    return rounds * sizeOf(ranges) + this.#countIn(ranges, phase, steps % this.#cells);
  }

  /** Which step is the `n`th (1 is the first) on one of the weekdays; undefined if none ever is. */
  nth(phase: number, n: number): number | undefined {
    const ranges = this.#ranges(phase);
    const perRound = sizeOf(ranges);
    if (perRound === 0) return undefined;
    const rounds = Math.floor((n - 1) / perRound);
    const wanted = n - rounds * perRound;
    let [low, high] = [0, this.#cells];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#countIn(ranges, phase, middle) < wanted) low = middle;
      else high = middle;
    }
    return rounds * this.#cells + low;
  }

  /** The cells of each weekday. They differ with the phase, which says how far into its cell each step falls. */
  #ranges(phase: number): Range[] {
    const within = phase % this.#cellMs;
    const cell = (ms: number) => Math.ceil((ms - within) / this.#cellMs);
    return this.#weekdays.map((weekday) => ({
      low: cell(weekday * dayMs),
      high: cell((weekday + 1) * dayMs),
    }));
  }

  /** As `count`, for fewer steps than there are cells. */
  #countIn(ranges: readonly Range[], phase: number, steps: number): number {
    const first = Math.floor(phase / this.#cellMs);
    const below = (limit: number) => this.#countBelow(first, steps, limit);
    return ranges.reduce((sum, { low, high }) => sum + below(high) - below(low), 0);
  }

  /** How many of the first steps are in a cell below `limit`: x mod m < limit where ⌊x/m⌋ and ⌊(x-limit)/m⌋ differ. */
  #countBelow(first: number, steps: number, limit: number): number {
    const [m, a] = [this.#cells, this.#stride];
    return floorSum(steps, m, a, first) - floorSum(steps, m, a, first + m - limit) + steps;
  }
}

function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { low, high }) => sum + high - low, 0);
}

/**
 * The sum of ⌊(a·i + b) / m⌋ for i from 0 to n-1, in as many rounds as Euclid's algorithm has. Exact here: all
 * numbers are at most the 604,800 seconds of a week, so that no product leaves the safe integers.
 */
function floorSum(n: number, m: number, a: number, b: number): number {
  if (n === 0) return 0;
  const whole = Math.floor(a / m) * ((n * (n - 1)) / 2) + Math.floor(b / m) * n;
  const [a1, b1] = [a % m, b % m];
  const top = a1 * n + b1;
  return top < m ? whole : whole + floorSum(Math.floor(top / m), a1, m, top % m);
}
