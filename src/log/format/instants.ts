// The times of records as instants.

import { instantOf } from '../../recurrence/time/local-time.js';

/** `2026-11-24 20:00:01.123+02:00`, with a space or a `T`. */
const exactLength = 29;
const minuteLength = 16;
const offsetAt = 23;

/**
 * Reads the times that stand in records. Asks the calendar once a minute, since that costs more than all the
 * rest.
 */
export class Instants {
  readonly #timezone: string;
  /** The minute and the offset of the last time, and when that minute began. */
  #minute = '?';
  #offset = '';
  #instant = Number.NaN;

  /** @param timezone the site's, for the format that writes no offset */
  constructor(timezone: string) {
    this.#timezone = timezone;
  }

  /**
   * When a record was logged, in ms since 1970 UTC; `NaN` when there is no such time. The format `lino` has
   * whole seconds, and its times in an hour that the clocks show twice count as the first.
   *
   * @param time as a head has it
   */
  of(time: string): number {
    const isExact = time.length === exactLength;
    if (!time.startsWith(this.#minute) || !time.endsWith(this.#offset)) {
      this.#minute = time.slice(0, minuteLength);
      this.#offset = isExact ? time.slice(offsetAt) : '';
      this.#instant = isExact ? exactMinute(this.#minute, this.#offset) : wallMinute(time, this.#timezone);
    }
    const at = isExact ? 17 : minuteLength;
    const ms = isExact ? digit(time, 20) * 100 + digit(time, 21) * 10 + digit(time, 22) : 0;
    return this.#instant + digit(time, at) * 10_000 + digit(time, at + 1) * 1000 + ms;
  }
}

function exactMinute(minute: string, offset: string): number {
  const day = minute.slice(0, 10);
  // Date.parse takes 30 February for 2 March.
  const midnight = new Date(`${day}T00:00Z`);
  const isDay = !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
  return isDay ? Date.parse(`${day}T${minute.slice(11)}${offset}`) : Number.NaN;
}

/** @param time `202611-24 20:00:01` */
function wallMinute(time: string, timezone: string): number {
  const wall = `${time.slice(0, 4)}-${time.slice(4, 9)}T${time.slice(10, 15)}`;
  return instantOf(wall, timezone)?.getTime() ?? Number.NaN;
}

function digit(text: string, at: number): number {
  return text.charCodeAt(at) - 0x30;
}
