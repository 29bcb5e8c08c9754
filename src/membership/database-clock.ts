// The time that all workers of a site share: that of their database.

import { type SteadyClock, systemClock } from '../base/clock.js';
import { durationText } from '../base/duration.js';
import { Logger } from '../log/logger.js';
import type { Store } from '../store/store.js';

/** A larger difference is logged: procedures may see the wrong day. */
export const maxSkewMs = 2000;

/** A slower answer is too imprecise. */
const maxDoubtMs = 1000;

/** Smaller differences are measurement error. Correcting them could repeat or skip a due time. */
const steadyMs = 250;

/**
 * Decides when rules are due and when heartbeats and leases expire. A machine with a wrong clock then neither
 * starts runs early nor loses or steals leases. It is this machine's clock, corrected by the last measured
 * difference from the database's. Workers measure every few seconds. SQLite needs no correction.
 */
export class DatabaseClock implements SteadyClock {
  readonly #time: Store['time'];
  readonly #clock: SteadyClock;
  readonly #logger: Logger;
  #skewMs = 0;
  #isMeasured = false;
  #isWarned = false;

  constructor(time: Store['time'], clock: SteadyClock, logger: Logger) {
    this.#time = time;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** In ms since 1970. A function, not a method, because callers detach it from the clock. */
  readonly now = (): number => this.#clock.now() - this.#skewMs;

  readonly passed = (): number => this.#clock.passed();

  readonly after: SteadyClock['after'] = (delayMs, callback) => this.#clock.after(delayMs, callback);

  /** How far this machine's clock is ahead of the database's, in ms; negative when it is behind. */
  get skewMs(): number {
    return this.#skewMs;
  }

  /** Reads the database's time, and warns once when this machine's differs much. */
  async measure(): Promise<void> {
    if (this.#time === null) return;
    const before = this.#clock.now();
    const theirs = await this.#time();
    const after = this.#clock.now();
    // The database read its clock somewhere between the query and its answer.
    const doubtMs = (after - before) / 2;
    if (doubtMs > maxDoubtMs && this.#isMeasured) return;
    this.#isMeasured = true;
    const skewMs = Math.round((before + after) / 2 - theirs);
    if (Math.abs(skewMs - this.#skewMs) > steadyMs + doubtMs) this.#skewMs = skewMs;
    this.#warn(Math.abs(this.#skewMs) - doubtMs > maxSkewMs);
  }

  #warn(isLarge: boolean): void {
    if (isLarge === this.#isWarned) return;
    this.#isWarned = isLarge;
    if (!isLarge) {
      this.#logger.info("this machine's clock agrees with the database's again");
      return;
    }
    const by = durationText(Math.abs(this.#skewMs));
    const how = this.#skewMs > 0 ? 'ahead of' : 'behind';
    this.#logger.warning(
      `this machine's clock is ${by} ${how} the database's, which decides when rules are due; ` +
        'procedures that do not call ar.now() see a different time; set the clock, for example with NTP',
    );
  }
}

/** The same clock for a command or a program, which measures once and does not warn. */
export async function databaseClock({ time }: Pick<Store, 'time'>): Promise<DatabaseClock> {
  const logger = new Logger({ sink: { write: () => undefined }, name: 'linod' });
  const clock = new DatabaseClock(time, systemClock, logger);
  await clock.measure();
  return clock;
}
