// Notices that somebody has set the clock of this machine, so that what follows from it can be told.

import type { SteadyClock } from '../base/clock.js';
import { durationText } from '../base/duration.js';
import { lateAfterMs } from '../rules/ledger-entry.js';

/** A clock that was set. All times are ms since 1970, by that clock. */
export interface ClockStep {
  /** What the clock showed when it was looked at for the last time before. */
  readonly from: number;
  /** What it shows now. */
  readonly to: number;
  /** In words, `the clock was set forward by 1 d`. */
  readonly told: string;
}

/** A clock that is set by less than this is merely being corrected. */
const stepMs = 1000;

export class ClockSteps {
  readonly #clock: Pick<SteadyClock, 'now' | 'passed'>;
  #last: number;
  /** What the clock shows, less the time that has passed: it changes when the clock is set, and only then. */
  #offset: number;

  constructor(clock: Pick<SteadyClock, 'now' | 'passed'>) {
    this.#clock = clock;
    this.#last = clock.now();
    this.#offset = this.#last - clock.passed();
  }

  /** Whether {@link look} would find that the clock was set. */
  get isSet(): boolean {
    return this.#find(this.#clock.now()).step !== null;
  }

  /** Whether the clock was set since the last look; null if it was not. */
  look(): ClockStep | null {
    const now = this.#clock.now();
    const { step, offset } = this.#find(now);
    this.#last = now;
    this.#offset = offset;
    return step;
  }

  #find(now: number): { step: ClockStep | null; offset: number } {
    const from = this.#last;
    // Without a pause nothing is late, whoever has set the clock. So that is seldom asked for, which costs a system call.
    if (now >= from - stepMs && now <= from + lateAfterMs) return { step: null, offset: this.#offset };
    const offset = now - this.#clock.passed();
    const byMs = offset - this.#offset;
    if (now < from - stepMs)
      return { offset, step: { from, to: now, told: told('back', Math.min(byMs, now - from)) } };
    return { offset, step: byMs < stepMs ? null : { from, to: now, told: told('forward', byMs) } };
  }
}

/** To the second: more is not known of when it was. */
function told(how: 'forward' | 'back', byMs: number): string {
  return `the clock was set ${how} by ${durationText(Math.round(Math.abs(byMs) / 1000) * 1000)}`;
}
