// A clock that a test moves.

import type { SteadyClock } from '../base/clock.js';

interface Timer {
  dueAt: number;
  readonly callback: () => void;
}

/**
 * @example
 * const clock = new ManualClock(Date.UTC(2026, 10, 24, 12));
 * clock.after(1000, () => console.log('a second is over'));
 * clock.advance(1000);
 */
export class ManualClock implements SteadyClock {
  #now: number;
  /** By how much it was set, in all. */
  #setByMs = 0;
  readonly #timers = new Set<Timer>();

  /** @param now in ms since 1970 UTC */
  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now = (): number => this.#now;

  passed = (): number => this.#now - this.#setByMs;

  after = (delayMs: number, callback: () => void): (() => void) => {
    const timer = { dueAt: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** How many timers are pending. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Sets the time, as a person does. Pending timers keep their remaining delays. */
  setTo(now: number): void {
    const step = now - this.#now;
    this.#setByMs += step;
    // Keeps the timer objects, so that their owners can still cancel them.
    for (const timer of this.#timers) timer.dueAt += step;
    this.#now = now;
  }

  /** Moves the clock forward, and calls the timers that come due, in order and each at its time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.dueAt - b.dueAt);
      if (next === undefined || next.dueAt > end) break;
      this.#timers.delete(next);
      // A callback may have advanced the clock itself.
      this.#now = Math.max(this.#now, next.dueAt);
      next.callback();
    }
    this.#now = Math.max(this.#now, end);
  }
}
