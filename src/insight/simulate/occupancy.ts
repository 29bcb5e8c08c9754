// How busy the job slots are: the most runs at once, and for how long all slots or none were taken.

import { modulo } from '../../recurrence/time/wall-time.js';
import type { Zone } from '../../recurrence/time/zone.js';
import type { Peak } from './report.js';

const hourMs = 3_600_000;

interface OccupancyOptions {
  /** Instants in ms since 1970. */
  readonly from: number;
  readonly to: number;
  readonly slots: number;
  readonly zone: Zone;
}

/** Counts running jobs over time. The caller reports changes in chronological order. */
export class Occupancy {
  readonly #options: OccupancyOptions;
  #running = 0;
  /** The instant of the last change. */
  #since: number;
  mostRunning: Peak = { count: 0, at: null, rules: [] };
  mostWaiting: Peak = { count: 0, at: null, rules: [] };
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

  /** From now on, `running` runs are going on. */
  changed(now: number, running: number, rulesOf: () => Iterable<number>): void {
    this.#spend(now);
    this.#running = running;
    this.mostRunning = higher(this.mostRunning, running, now, rulesOf);
  }

  /** At this instant, `count` rules are due and cannot start. */
  waiting(now: number, count: number, rulesOf: () => Iterable<number>): void {
    this.mostWaiting = higher(this.mostWaiting, count, now, rulesOf);
  }

  /** Counts the time up to the end of the simulation. */
  end(): void {
    this.#spend(this.#options.to);
  }

  /** Counts the time since the last change. */
  #spend(now: number): void {
    const { slots, zone } = this.#options;
    const from = this.#since;
    this.#since = now;
    if (this.#running >= slots) this.fullMs += now - from;
    if (this.#running === 0) {
      this.idleMs += now - from;
      if (now - from > this.longestIdle.to - this.longestIdle.from) this.longestIdle = { from, to: now };
      return;
    }
    for (let at = from; at < now; ) {
      const shown = at + zone.offsetAt(at);
      const until = Math.min(now, at + hourMs - modulo(shown, hourMs));
      const hour = Math.floor(modulo(shown, 24 * hourMs) / hourMs);
      this.busyMsByHour[hour] = (this.busyMsByHour[hour] ?? 0) + until - at;
      at = until;
    }
  }
}

function higher(most: Peak, count: number, at: number, rulesOf: () => Iterable<number>): Peak {
  if (count <= most.count) return most;
  return { count, at, rules: [...new Set(rulesOf())].sort((a, b) => a - b) };
}
