// Detects that the clock was set, so that the ledger can give that as a reason.

import type { SteadyClock } from '../base/clock.js';
import { durationText } from '../base/duration.js';
import { lateAfterMs } from '../rules/ledger-entry.js';

/** One setting of the clock. All times are ms since 1970, by that clock. */
export interface ClockStep {
  /** What the clock showed at the previous check. */
  readonly from: number;
  /** What the clock shows now. */
  readonly to: number;
  /** A clause, for example `the clock was set forward by 1 d`. */
  readonly why: string;
}

/** Smaller steps are corrections, and are ignored. */
const stepMs = 1000;

export class ClockSteps {
  readonly #clock: Pick<SteadyClock, 'now' | 'passed'>;
  #last: number;
  /** The clock's time minus the steady clock's. It changes only when the clock is set. */
  #offset: number;

  constructor(clock: Pick<SteadyClock, 'now' | 'passed'>) {
    this.#clock = clock;
    this.#last = clock.now();
    this.#offset = this.#last - clock.passed();
  }

  /** Whether {@link detect} would find a step. */
  get isSet(): boolean {
    return this.#find(this.#clock.now()).step !== null;
  }

  /** The step since the previous check; null when the clock was not set. */
  detect(): ClockStep | null {
    const now = this.#clock.now();
    const { step, offset } = this.#find(now);
    this.#last = now;
    this.#offset = offset;
    return step;
  }

  #find(now: number): { step: ClockStep | null; offset: number } {
    const from = this.#last;
    // Nothing is late after a short pause, so the system call can be saved.
    if (now >= from - stepMs && now <= from + lateAfterMs) return { step: null, offset: this.#offset };
    const offset = now - this.#clock.passed();
    const byMs = offset - this.#offset;
    if (now < from - stepMs)
      return { offset, step: { from, to: now, why: describe('back', Math.min(byMs, now - from)) } };
    return { offset, step: byMs < stepMs ? null : { from, to: now, why: describe('forward', byMs) } };
  }
}

/** Rounded to seconds, because the exact instant is unknown. */
function describe(how: 'forward' | 'back', byMs: number): string {
  return `the clock was set ${how} by ${durationText(Math.round(Math.abs(byMs) / 1000) * 1000)}`;
}
