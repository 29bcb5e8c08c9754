// Due times moved by some seconds, so that rules that are due at the same time do not all start at once.

import { latestUpTo } from './occurrences.js';

/** The times that are moved. Instants in milliseconds since 1970 UTC. */
interface Times {
  /** The first one strictly later than an instant. */
  nextAfter(after: number): number | null;
  /** For how long after an instant nothing begins to be excluded, up to `most` ms. */
  freeFor(at: number, most: number): number;
}

export interface JitterOptions {
  /** What decides about the part of the jitter that is taken: the same number gives the same part. */
  readonly seed: number;
  /** No time is moved by so much or more, in ms. */
  readonly mostMs: number;
  readonly times: Times;
}

/** A time, what it is moved to, and the time after it. */
interface Moved {
  readonly at: number;
  readonly moved: number;
  readonly next: number | null;
}

/**
 * Each time is moved by the same part of what it can be moved by: of `mostMs`, or of less where the next time or
 * something excluded comes before. So they stay in order, and apart.
 */
export class Jitter {
  readonly #part: number;
  readonly #mostMs: number;
  readonly #times: Times;
  /** The last one that was worked out: mostly, the next one is asked for after it. */
  #known: Moved | null = null;

  constructor({ seed, mostMs, times }: JitterOptions) {
    this.#part = partOf(seed);
    this.#mostMs = mostMs;
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

  /** By how much the time was moved that is due at an instant now, in ms. */
  shiftBefore(moved: number): number {
    const before = this.#known?.moved === moved ? this.#known.at : this.#timeBefore(moved);
    return before === null ? 0 : moved - before;
  }

  /** By how much a time is moved, in ms; in whole seconds where there is a minute or more to move it in. */
  shiftOf(at: number): number {
    return this.#move(at).moved - at;
  }

  #move(at: number): Moved {
    if (this.#known?.at === at) return this.#known;
    const next = this.#times.nextAfter(at);
    const room = this.#times.freeFor(at, Math.min(this.#mostMs, (next ?? Number.POSITIVE_INFINITY) - at));
    const unitMs = room >= 60_000 ? 1000 : 1;
    this.#known = { at, moved: at + Math.floor((this.#part * room) / unitMs) * unitMs, next };
    return this.#known;
  }

  /** The time that is due at an instant when it has been moved, or next before. */
  #timeBefore(moved: number): number | null {
    return latestUpTo(moved, moved - this.#mostMs, (after) => this.#times.nextAfter(after));
  }
}

/**
 * A number from 0 up to 1 that looks like chance and is always the same: neighbours are far apart.
 *
 * Source: the finalizer of MurmurHash3, by Austin Appleby, who placed it in the public domain.
 */
function partOf(seed: number): number {
  let hash = Math.imul(seed, 0x9e3779b9);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
