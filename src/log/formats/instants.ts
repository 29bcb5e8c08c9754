// The times of records as instants.

import { instantOf } from '../../local-time.js';

/** `2026-11-24 20:00:01.123+02:00`, with a space or a `T`. */
const exactLength = 29;

/** Reads the times that stand in records. Asks the calendar once a minute, since that costs more than all the rest. */
export class Instants {
  readonly #timezone: string;
  /** The last time without its seconds, and the instant of that minute. */
  #minute = '';
  #instant = Number.NaN;

  /** @param timezone the site's, for the format that writes no offset */
  constructor(timezone: string) {
    this.#timezone = timezone;
  }

  /**
   * When a record was logged, in ms since 1970 UTC; `NaN` when there is no such time. The format `lino` has whole seconds, and
   * its times in an hour that the clocks show twice count as the first.
   *
   * @param time as a head has it
   */
  of(time: string): number {
    const isExact = time.length === exactLength;
    const minute = isExact
      ? `${time.slice(0, 10)}T${time.slice(11, 16)}${time.slice(23)}`
      : time.slice(0, 15);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#instant = isExact ? exactMinute(minute) : wallMinute(minute, this.#timezone);
    }
    const seconds = isExact ? time.slice(17, 23) : time.slice(16);
    return this.#instant + Math.round(Number(seconds) * 1000);
  }
}

function exactMinute(minute: string): number {
  const day = minute.slice(0, 10);
  // Date.parse takes 30 February for 2 March.
  const midnight = new Date(`${day}T00:00Z`);
  const isDay = !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
  return isDay ? Date.parse(minute) : Number.NaN;
}

/** @param minute `202611-24 20:00` */
function wallMinute(minute: string, timezone: string): number {
  const wall = `${minute.slice(0, 4)}-${minute.slice(4, 9)}T${minute.slice(10)}`;
  return instantOf(wall, timezone)?.getTime() ?? Number.NaN;
}
