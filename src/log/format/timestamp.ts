// The time at the head of a line, in the site's time zone.

const minuteMs = 60_000;
const seconds = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'));
const milliseconds = Array.from({ length: 1000 }, (_, n) => `.${String(n).padStart(3, '0')}`);

/**
 * How an instant looks, for the years 0 to 9999 always equally long:
 *
 * - `text`: `2026-11-24 20:00:01.123+02:00`
 * - `iso`: `2026-11-24T20:00:01.123+02:00`
 * - `lino`: `202611-24 20:00:01`, as the original writes it
 */
export type TimeLayout = 'text' | 'iso' | 'lino';

/**
 * Writes instants in the zone's wall time.
 *
 * The zone is asked once a minute, since that costs more than everything else about a record.
 */
export class Timestamps {
  readonly #zone: Intl.DateTimeFormat;
  readonly #layout: TimeLayout;
  #minute = Number.NaN;
  #instant = Number.NaN;
  #text = '';
  #date = '';
  #offset = '';

  /** @param timezone an IANA name */
  constructor(timezone = 'UTC', layout: TimeLayout = 'text') {
    this.#layout = layout;
    this.#zone = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      timeZoneName: 'longOffset',
    });
  }

  /** @param instant milliseconds since 1970 UTC. The same string while it is the same. */
  format(instant: number): string {
    if (instant !== this.#instant) {
      this.#text = this.#write(instant);
      this.#instant = instant;
    }
    return this.#text;
  }

  #write(instant: number): string {
    const minute = Math.floor(instant / minuteMs);
    if (minute !== this.#minute) this.#enter(minute);
    const rest = Math.floor(instant - minute * minuteMs);
    const second = seconds[Math.floor(rest / 1000)];
    return this.#layout === 'lino'
      ? `${this.#date}${second}`
      : `${this.#date}${second}${milliseconds[rest % 1000]}${this.#offset}`;
  }

  #enter(minute: number): void {
    const start = minute * minuteMs;
    const offset = this.#offsetAt(start);
    const wall = new Date(start + offset.minutes * minuteMs).toISOString();
    const [year, month, day, time] = [
      wall.slice(0, 4),
      wall.slice(5, 7),
      wall.slice(8, 10),
      wall.slice(11, 17),
    ];
    if (this.#layout === 'lino') this.#date = `${year}${month}-${day} ${time}`;
    else this.#date = `${year}-${month}-${day}${this.#layout === 'iso' ? 'T' : ' '}${time}`;
    this.#offset = offset.text;
    this.#minute = minute;
  }

  /** `GMT+02:00`, or `GMT` alone; historic zones also had seconds, which are omitted. */
  #offsetAt(instant: number): { text: string; minutes: number } {
    const name = this.#zone.formatToParts(instant).find((part) => part.type === 'timeZoneName')?.value ?? '';
    const [, sign = '+', hours = '00', minutes = '00'] = /([+-])(\d\d):(\d\d)/.exec(name) ?? [];
    const size = Number(hours) * 60 + Number(minutes);
    return { text: `${sign}${hours}:${minutes}`, minutes: sign === '-' ? -size : size };
  }
}
