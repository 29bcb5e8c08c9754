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

/**
 * Each time is moved by the same part of what it can be moved by: of `mostMs`, or of less where the next time or
 * something excluded comes before. So they stay in order, and apart.
 */
export class Jitter {
  readonly #part: number;
  readonly #mostMs: number;
  readonly #times: Times;

  constructor({ seed, mostMs, times }: JitterOptions) {
    this.#part = partOf(seed);
    this.#mostMs = mostMs;
    this.#times = times;
  }

  /** The first moved time strictly later than an instant, or null. */
  nextAfter(after: number): number | null {
    const before = this.#timeBefore(after);
    const moved = before === null ? null : this.#move(before);
    if (moved !== null && moved > after) return moved;
    const next = this.#times.nextAfter(after);
    return next === null ? null : this.#move(next);
  }

  /** By how much the time was moved that is due at an instant now, in ms. */
  shiftBefore(moved: number): number {
    const before = this.#timeBefore(moved);
    return before === null ? 0 : moved - before;
  }

  /** By how much a time is moved, in ms; in whole seconds where there is a minute or more to move it in. */
  shiftOf(at: number): number {
    const next = this.#times.nextAfter(at) ?? Number.POSITIVE_INFINITY;
    const room = this.#times.freeFor(at, Math.min(this.#mostMs, next - at));
    const unitMs = room >= 60_000 ? 1000 : 1;
    return Math.floor((this.#part * room) / unitMs) * unitMs;
  }

  #move(at: number): number {
    return at + this.shiftOf(at);
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
