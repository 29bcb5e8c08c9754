// Random numbers that can be had again: a test prints its seed, and SEED=… repeats the run.

/** How many random cases a test tries: so many, or ten times as many with `MORE_CASES=10`. */
export function cases(count: number): number {
  return count * Number(process.env.MORE_CASES ?? 1);
}

/** A source of random numbers with the picks that tests make. */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** From 0 up to but without 1. Source: mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.whole(0, items.length - 1)];
    if (item === undefined) throw new RangeError('there is nothing to pick from');
    return item;
  }

  /** A random part of the items, perhaps all or none, in their order. */
  some<T>(items: readonly T[], probability = 0.4): T[] {
    return items.filter(() => this.chance(probability));
  }
}
