// The time that all workers of a site agree on: their database's.

import { type SteadyClock, systemClock } from '../clock.js';
import { durationText } from '../duration.js';
import { Logger } from '../log/logger.js';
import type { Store } from '../store/store.js';

/** A worker whose clock differs by more is told of in the log: its procedures may see the wrong day. */
export const maxSkewMs = 2000;

/** An answer that took longer tells too little. */
const maxDoubtMs = 1000;

/** What differs by less is the doubt of the measuring, for which no time is to come twice or not at all. */
const steadyMs = 250;

/**
 * By this clock rules are due, and heartbeats and leases are told, so that a machine whose clock is wrong neither begins runs
 * before their time, nor loses its leases or takes those of others. It is this machine's clock, corrected by the difference
 * from the database's when that was measured last, which a worker does every few seconds; with SQLite there is none.
 */
export class DatabaseClock implements SteadyClock {
  readonly #time: Store['time'];
  readonly #clock: SteadyClock;
  readonly #logger: Logger;
  #skewMs = 0;
  #isMeasured = false;
  #isTold = false;

  constructor(time: Store['time'], clock: SteadyClock, logger: Logger) {
    this.#time = time;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** In ms since 1970. A function of its own, not a method, since many take it out of their clock. */
  readonly now = (): number => this.#clock.now() - this.#skewMs;

  readonly passed = (): number => this.#clock.passed();

  readonly after: SteadyClock['after'] = (delayMs, callback) => this.#clock.after(delayMs, callback);

  /** By how much this machine's clock is taken to be ahead of the database's, in ms; negative when it is behind. */
  get skewMs(): number {
    return this.#skewMs;
  }

  /** Asks the database for its time, and warns once when this machine's differs much. */
  async measure(): Promise<void> {
    if (this.#time === null) return;
    const before = this.#clock.now();
    const theirs = await this.#time();
    const after = this.#clock.now();
    // The answer was right somewhere between the question and its arrival.
    const doubtMs = (after - before) / 2;
    if (doubtMs > maxDoubtMs && this.#isMeasured) return;
    this.#isMeasured = true;
    const skewMs = Math.round((before + after) / 2 - theirs);
    if (Math.abs(skewMs - this.#skewMs) > steadyMs + doubtMs) this.#skewMs = skewMs;
    this.#tell(Math.abs(this.#skewMs) - doubtMs > maxSkewMs);
  }

  #tell(isLarge: boolean): void {
    if (isLarge === this.#isTold) return;
    this.#isTold = isLarge;
    if (!isLarge) {
      this.#logger.info("this machine's clock agrees with the database's again");
      return;
    }
    const by = durationText(Math.abs(this.#skewMs));
    const how = this.#skewMs > 0 ? 'ahead of' : 'behind';
    this.#logger.warning(
      `this machine's clock is ${by} ${how} the database's, by which rules are due: procedures that do not ask ar.now() see another time; set the clock, best by NTP`,
    );
  }
}

/** The same for a command or a program, which asks once, when it begins something; a worker warns of the difference. */
export async function databaseClock({ time }: Pick<Store, 'time'>): Promise<DatabaseClock> {
  const logger = new Logger({ sink: { write: () => undefined }, name: 'linod' });
  const clock = new DatabaseClock(time, systemClock, logger);
  await clock.measure();
  return clock;
}
