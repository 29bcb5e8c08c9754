// The minute in which a record was written: asking the calendar for each time would cost more than all the rest of a head.

import { instantOf } from '../../local-time.js';
import { Pattern } from '../bytes.js';
import type { LineFormat } from '../formats/line-format.js';

/** The minute of the last time in one format, and how it is written there. */
export class Minute {
  /** When it begins, in ms since 1970 UTC. */
  instant = Number.NaN;
  /** Where the seconds are, from the begin of the line on. */
  readonly secondsAt: number;
  /** Where the offset is that follows them, if there is one, and where the time ends. */
  readonly zoneAt: number;
  readonly timeEnd: number;
  /** Whether milliseconds and an offset follow the seconds. */
  readonly isExact: boolean;
  /** No head has fewer bytes. */
  readonly shortestHead: number;
  readonly #timeAt: number;
  readonly #opening: Pattern;
  readonly #timezone: string;
  /** The line up to the seconds, and the offset behind them. */
  #begin: Pattern | undefined;
  #zone = Pattern.of('');

  constructor({ layout, time }: LineFormat, timezone: string) {
    const { opening, timeLength } = layout;
    this.isExact = time !== 'lino';
    this.#opening = Pattern.of(opening);
    this.#timeAt = opening.length;
    this.timeEnd = opening.length + timeLength;
    this.secondsAt = opening.length + (this.isExact ? 17 : 16);
    this.zoneAt = this.isExact ? this.secondsAt + '01.123'.length : this.timeEnd;
    this.shortestHead = this.timeEnd + 'INFO-a'.length;
    this.#timezone = timezone;
  }

  /** Whether the line that begins at `start` does so as its last one, up to the seconds. @param end the view's length */
  isBegunAt(view: DataView, start: number, end: number): boolean {
    return this.#begin?.isAt(view, start, end) === true;
  }

  /** Whether that line has the same offset as well: then its time is in this minute. */
  isZoneAt(view: DataView, start: number, end: number): boolean {
    return this.#zone.isAt(view, start + this.zoneAt, end);
  }

  /** Becomes the minute of that line's time. @returns false when there is no such time */
  enter(bytes: Buffer, view: DataView, start: number): boolean {
    if (!this.#opening.isAt(view, start, bytes.length)) return false;
    const time = bytes.toString('latin1', start + this.#timeAt, start + this.timeEnd);
    const instant = this.isExact ? exactMinute(time) : linoMinute(time, this.#timezone);
    if (instant === undefined) return false;
    this.#begin = new Pattern(bytes.subarray(start, start + this.secondsAt));
    this.#zone = new Pattern(bytes.subarray(start + this.zoneAt, start + this.timeEnd));
    this.instant = instant;
    return true;
  }
}

const exactTime = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):\d\d\.\d{3}([+-])(\d\d):(\d\d)$/;
const linoTime = /^(\d{4})(\d\d)-(\d\d) (\d\d:\d\d):\d\d$/;

function exactMinute(time: string): number | undefined {
  const [, year, month, day, hour, minute, sign, hours, minutes] = exactTime.exec(time) ?? [];
  if (year === undefined || Number(hour) > 23 || Number(minute) > 59) return undefined;
  const midnight = Date.parse(`${year}-${month}-${day}T00:00:00Z`);
  // Date.parse takes 30 February for 1 March.
  if (Number.isNaN(midnight) || new Date(midnight).getUTCDate() !== Number(day)) return undefined;
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
  return midnight + (Number(hour) * 60 + Number(minute) - offset) * 60_000;
}

/** The original's time tells no offset: an hour that the clocks show twice is taken for the first one. */
function linoMinute(time: string, timezone: string): number | undefined {
  const [, year, month, day, minute] = linoTime.exec(time) ?? [];
  return year === undefined ? undefined : instantOf(`${year}-${month}-${day}T${minute}`, timezone)?.getTime();
}
