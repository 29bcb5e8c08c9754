// Instants as people read them.

import { DateTime } from 'luxon';

/** ISO 8601 in a zone, to the second, or to the millisecond where there are some: `2026-11-25T20:00:00+02:00`. */
export function localTime(instant: Date, timezone: string): string {
  const local = DateTime.fromJSDate(instant, { zone: timezone });
  return local.toFormat(local.millisecond === 0 ? "yyyy-MM-dd'T'HH:mm:ssZZ" : "yyyy-MM-dd'T'HH:mm:ss.SSSZZ");
}
