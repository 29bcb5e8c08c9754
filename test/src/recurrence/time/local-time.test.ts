import { DateTime } from 'luxon';
import t from 'tap';
import { localTime, wallTime } from '../../../../src/recurrence/time/local-time.js';

for (const [instant, zone, text] of [
  ['2026-11-25T18:00:00Z', 'Europe/Tallinn', '2026-11-25T20:00:00+02:00'],
  ['2026-07-01T17:00:00.250Z', 'Europe/Tallinn', '2026-07-01T20:00:00.250+03:00'],
  ['2026-01-01T03:00:00Z', 'America/St_Johns', '2025-12-31T23:30:00-03:30'],
  ['2026-01-01T00:00:00Z', 'UTC', '2026-01-01T00:00:00+00:00'],
  ['2026-01-01T00:00:00Z', 'Asia/Kathmandu', '2026-01-01T05:45:00+05:45'],
] as const) {
  t.test(`${instant} in ${zone} is ${text}`, async (t) => {
    t.equal(localTime(new Date(instant), zone), text);
    t.equal(new Date(text).getTime(), Date.parse(instant), 'it reads back');
    t.equal(
      wallTime(new Date(instant), zone),
      DateTime.fromISO(instant, { zone }).toFormat("yyyy-MM-dd'T'HH:mm:ss.SSS"),
    );
  });
}

t.test('an unknown zone is refused by name', async (t) => {
  t.throws(() => localTime(new Date(), 'Mars/X'), {
    code: 'LINOD_ERR_INVALID_RECURRENCE',
    message: /"Mars\/X"/,
  });
});
