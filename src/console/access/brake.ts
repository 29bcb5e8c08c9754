// Slows down whoever tries passwords: after some failures the next try has to wait, twice as long each time.

import { RefusedError } from '../errors.js';

interface Tries {
  failures: number;
  /** The next try may come then. */
  until: number;
  /** Forgotten then. */
  forgetAt: number;
}

interface BrakeOptions {
  /** How many failures cost nothing. */
  readonly free: number;
  readonly longestMs: number;
}

const firstMs = 1000;
const forgetMs = 900_000;
/** Whoever has many addresses must not fill the memory. */
const maxKeys = 10_000;

export class Brake {
  readonly #options: BrakeOptions;
  readonly #now: () => number;
  readonly #tries = new Map<string, Tries>();

  constructor(options: BrakeOptions, now: () => number = Date.now) {
    this.#options = options;
    this.#now = now;
  }

  /**
   * Begins a try, which counts as a failure until {@link forget}: many at once gain nothing.
   *
   * @throws RefusedError with 429 when it comes too soon
   */
  begin(key: string): void {
    const now = this.#now();
    const tries = this.#of(key, now);
    if (now < tries.until) {
      const seconds = Math.ceil((tries.until - now) / 1000);
      throw new RefusedError(
        429,
        'LINOD_ERR_SIGN_IN_SLOWED',
        `there were too many wrong sign-ins; try again in ${seconds} s`,
        { 'retry-after': String(seconds) },
      );
    }
    tries.failures++;
    const over = tries.failures - this.#options.free;
    tries.until = over < 0 ? now : now + Math.min(firstMs * 2 ** over, this.#options.longestMs);
    tries.forgetAt = now + forgetMs;
  }

  /** The try succeeded. */
  forget(key: string): void {
    this.#tries.delete(key);
  }

  #of(key: string, now: number): Tries {
    const known = this.#tries.get(key);
    if (known !== undefined && now < known.forgetAt) return known;
    this.#tries.delete(key);
    const [oldest] = this.#tries.keys();
    if (this.#tries.size >= maxKeys && oldest !== undefined) this.#tries.delete(oldest);
    const fresh = { failures: 0, until: now, forgetAt: now + forgetMs };
    this.#tries.set(key, fresh);
    return fresh;
  }
}
