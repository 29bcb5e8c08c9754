// The time at the head of a line, in the site's time zone.

const minuteMs = 60_000;
const seconds = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'));
const milliseconds = Array.from({ length: 1000 }, (_, n) => `.${String(n).padStart(3, '0')}`);

/**
 * Writes instants as `2026-11-24 20:00:01.123+02:00`, always 29 characters for the years 0 to 9999.
 *
 * The zone is asked once a minute, since that costs more than everything else about a record.
 */
export class Timestamps {
  readonly #zone: Intl.DateTimeFormat;
  #minute = Number.NaN;
  #date = '';
  #offset = '';

  /** @param timezone an IANA name; the system's zone when left out */
  constructor(timezone?: string) {
    this.#zone = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      timeZoneName: 'longOffset',
    });
  }

  /** @param instant milliseconds since 1970 UTC */
  format(instant: number): string {
    const minute = Math.floor(instant / minuteMs);
    if (minute !== this.#minute) this.#enter(minute);
    const rest = Math.floor(instant - minute * minuteMs);
    return `${this.#date}${seconds[Math.floor(rest / 1000)]}${milliseconds[rest % 1000]}${this.#offset}`;
  }

  #enter(minute: number): void {
    const start = minute * minuteMs;
    const offset = this.#offsetAt(start);
    const wall = new Date(start + offset.minutes * minuteMs).toISOString();
    this.#date = `${wall.slice(0, 10)} ${wall.slice(11, 17)}`;
    this.#offset = offset.text;
    this.#minute = minute;
  }

  /** `GMT+02:00`, or `GMT` alone; zones of long ago also had seconds, which are left out. */
  #offsetAt(instant: number): { text: string; minutes: number } {
    const name = this.#zone.formatToParts(instant).find((part) => part.type === 'timeZoneName')?.value ?? '';
    const [, sign = '+', hours = '00', minutes = '00'] = /([+-])(\d\d):(\d\d)/.exec(name) ?? [];
    const size = Number(hours) * 60 + Number(minutes);
    return { text: `${sign}${hours}:${minutes}`, minutes: sign === '-' ? -size : size };
  }
}
