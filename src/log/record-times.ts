// The times of records, read from their bytes: for putting the records of several senders in order.

import { recordInstant } from './formats/formats.js';
import type { HeadScan } from './formats/head-scan.js';

const zero = 0x30;
/** `2026-11-24 20:00`: up to the minute. */
const minuteLength = 16;
const zoneAt = 23;
const timeLength = 29;

/**
 * Reads the times of heads. Makes a date only when the minute or the zone changes.
 *
 * The format `lino` tells whole seconds of a wall clock: its records have the time at which their second began.
 */
export class RecordTimes {
  readonly #timezone: string;
  readonly #known = Buffer.alloc(timeLength);
  #minute = Number.NaN;
  #wall = '';
  #wallInstant = Number.NaN;

  /** @param timezone the site's */
  constructor(timezone: string) {
    this.#timezone = timezone;
  }

  /** The time of the head that was read last, in ms; `NaN` when it is none. */
  of(bytes: Buffer, head: HeadScan): number {
    const at = head.timeAt;
    if (head.format.time === 'lino')
      return this.#ofWall(bytes.toString('latin1', at, head.levelAt).trimEnd());
    if (!this.#isKnown(bytes, at)) this.#learn(bytes, at);
    return this.#minute + digits(bytes, at + 17, 2) * 1000 + digits(bytes, at + 20, 3);
  }

  #isKnown(bytes: Buffer, at: number): boolean {
    const known = this.#known;
    for (let i = minuteLength - 1; i >= 0; i--) if (bytes[at + i] !== known[i]) return false;
    for (let i = zoneAt; i < timeLength; i++) if (bytes[at + i] !== known[i]) return false;
    return true;
  }

  #learn(bytes: Buffer, at: number): void {
    bytes.copy(this.#known, 0, at, at + timeLength);
    const text = this.#known.toString('latin1');
    const minute = `${text.slice(0, 10)}T${text.slice(11, minuteLength)}:00${text.slice(zoneAt)}`;
    this.#minute = new Date(minute).getTime();
  }

  #ofWall(time: string): number {
    if (time !== this.#wall) {
      this.#wall = time;
      this.#wallInstant = recordInstant({ time }, this.#timezone);
    }
    return this.#wallInstant;
  }
}

function digits(bytes: Buffer, at: number, count: number): number {
  let number = 0;
  for (let i = 0; i < count; i++) number = number * 10 + (bytes[at + i] ?? zero) - zero;
  return number;
}
