// How busy the places for jobs are: the most at once, how long all are taken, and when nothing runs at all.

import { modulo } from '../recurrence/wall-time.js';
import type { Zone } from '../recurrence/zone.js';
import type { Peak } from './report.js';

const hourMs = 3_600_000;

interface OccupancyOptions {
  /** Instants in ms since 1970. */
  readonly from: number;
  readonly to: number;
  readonly places: number;
  readonly zone: Zone;
}

/** Told of each change, in the order of time. */
export class Occupancy {
  readonly #options: OccupancyOptions;
  #running = 0;
  /** Since when something runs, or nothing does. */
  #since: number;
  #fullSince: number | null = null;
  #mostRunning: Peak = nothing;
  #mostWaiting: Peak = nothing;
  fullMs = 0;
  idleMs = 0;
  longestIdle: { readonly from: number; readonly to: number };
  readonly busyMsByHour: number[] = Array.from({ length: 24 }, () => 0);

  constructor(options: OccupancyOptions) {
    const { from } = options;
    this.#options = options;
    this.#since = from;
    this.longestIdle = { from, to: from };
  }

  get mostRunning(): Peak {
    return this.#mostRunning;
  }

  get mostWaiting(): Peak {
    return this.#mostWaiting;
  }

  /** So many runs go on from now on. */
  changed(now: number, running: number, rulesOf: () => Iterable<number>): void {
    if (this.#running === 0 && running > 0) this.#endIdle(now);
    else if (this.#running > 0 && running === 0) this.#endBusy(now);
    this.#running = running;
    if (running >= this.#options.places) this.#fullSince ??= now;
    else this.#endFull(now);
    if (running > this.#mostRunning.count) this.#mostRunning = peak(running, now, rulesOf());
  }

  /** So many rules are due and cannot start. */
  waiting(now: number, count: number, rulesOf: () => Iterable<number>): void {
    if (count > this.#mostWaiting.count) this.#mostWaiting = peak(count, now, rulesOf());
  }

  /** What still goes on is not looked at any more. */
  end(): void {
    if (this.#running === 0) this.#endIdle(this.#options.to);
    else this.#endBusy(this.#options.to);
    this.#endFull(this.#options.to);
  }

  #endIdle(now: number): void {
    const from = this.#since;
    this.idleMs += now - from;
    if (now - from > this.longestIdle.to - this.longestIdle.from) this.longestIdle = { from, to: now };
    this.#since = now;
  }

  #endBusy(now: number): void {
    for (let at = Math.max(this.#options.from, this.#since); at < now; ) {
      const shown = at + this.#options.zone.offsetAt(at);
      const until = Math.min(now, at + hourMs - modulo(shown, hourMs));
      const hour = Math.floor(modulo(shown, 24 * hourMs) / hourMs);
      this.busyMsByHour[hour] = (this.busyMsByHour[hour] ?? 0) + until - at;
      at = until;
    }
    this.#since = now;
  }

  #endFull(now: number): void {
    if (this.#fullSince !== null) this.fullMs += now - this.#fullSince;
    this.#fullSince = null;
  }
}

const nothing: Peak = { count: 0, at: null, rules: [] };

function peak(count: number, at: number, rules: Iterable<number>): Peak {
  return { count, at, rules: [...new Set(rules)].sort((a, b) => a - b) };
}
