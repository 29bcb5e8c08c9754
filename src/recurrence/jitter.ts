// Jitter: moves due times by some seconds, so that rules due at the same time do not all start at once.

import { latestUpTo } from './occurrences.js';

/** The times to move. Instants in ms since 1970 UTC. */
interface Times {
  /** The first time strictly later than an instant. */
  nextAfter(after: number): number | null;
  /** How long after an instant no exclusion begins, at most `maxMs`. */
  freeFor(at: number, maxMs: number): number;
}

export interface JitterOptions {
  /** Determines the fraction of the jitter: the same seed gives the same fraction. */
  readonly seed: number;
  /** The exclusive maximum of the shift, in ms. */
  readonly maxMs: number;
  readonly times: Times;
}

/** A time, its moved time, and the time after it. */
interface Moved {
  readonly at: number;
  readonly moved: number;
  readonly next: number | null;
}

/**
 * Moves each time by the same fraction of its room. The room is `maxMs`, or less where the next time or an
 * exclusion comes earlier. So the times keep their order and their distance.
 */
export class Jitter {
  readonly #fraction: number;
  readonly #maxMs: number;
  readonly #times: Times;
  /** The last result; the next call usually asks for the time after it. */
  #known: Moved | null = null;

  constructor({ seed, maxMs, times }: JitterOptions) {
    this.#fraction = fractionOf(seed);
    this.#maxMs = maxMs;
    this.#times = times;
  }

  /** The first moved time strictly later than an instant, or null. */
  nextAfter(after: number): number | null {
    const known = this.#known;
    if (known !== null && known.moved <= after && known.next !== null && after < known.next)
      return this.#move(known.next).moved;
    const before = this.#timeBefore(after);
    if (before !== null) {
      const { moved } = this.#move(before);
      if (moved > after) return moved;
    }
    const next = this.#times.nextAfter(after);
    return next === null ? null : this.#move(next).moved;
  }

  /** By how much a moved time was moved, in ms. */
  shiftBefore(moved: number): number {
    const before = this.#known?.moved === moved ? this.#known.at : this.#timeBefore(moved);
    return before === null ? 0 : moved - before;
  }

  /** By how much a time is moved, in ms; in whole seconds where the room is a minute or more. */
  shiftOf(at: number): number {
    return this.#move(at).moved - at;
  }

  #move(at: number): Moved {
    if (this.#known?.at === at) return this.#known;
    const next = this.#times.nextAfter(at);
    const room = this.#times.freeFor(at, Math.min(this.#maxMs, (next ?? Number.POSITIVE_INFINITY) - at));
    const unitMs = room >= 60_000 ? 1000 : 1;
    this.#known = { at, moved: at + Math.floor((this.#fraction * room) / unitMs) * unitMs, next };
    return this.#known;
  }

  /** The original of the moved time at or before an instant. */
  #timeBefore(moved: number): number | null {
    return latestUpTo(moved, moved - this.#maxMs, (after) => this.#times.nextAfter(after));
  }
}

/**
 * A pseudo-random number from 0 up to 1. Close seeds give distant numbers.
 *
 * Source: the finalizer of MurmurHash3, by Austin Appleby, who placed it in the public domain.
 */
function fractionOf(seed: number): number {
  let hash = Math.imul(seed, 0x9e3779b9);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
