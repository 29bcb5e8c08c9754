import t from 'tap';
import { parseInstant } from '../../../../src/recurrence/time/parse-instant.js';

const now = new Date('2026-11-24T18:30:00Z');

for (const [text, timezone, expected] of [
  ['now', 'UTC', '2026-11-24T18:30:00.000Z'],
  ['2026-11-24', 'Europe/Tallinn', '2026-11-23T22:00:00.000Z'],
  ['2026-11-24T20:00', 'Europe/Tallinn', '2026-11-24T18:00:00.000Z'],
  ['2026-11-24 20:00:05', 'Europe/Tallinn', '2026-11-24T18:00:05.000Z'],
  ['2026-11-24T20:00:00+01:00', 'Europe/Tallinn', '2026-11-24T19:00:00.000Z'],
  ['2026-11-24T20:00:00.250+02:00', 'UTC', '2026-11-24T18:00:00.250Z'],
  ['2026-11-24T20:00Z', 'Europe/Tallinn', '2026-11-24T20:00:00.000Z'],
  ['20:00', 'Europe/Tallinn', '2026-11-24T18:00:00.000Z'],
  ['03:00:30', 'Pacific/Apia', '2026-11-24T14:00:30.000Z'],
  ['90 min', 'UTC', '2026-11-24T17:00:00.000Z'],
  ['2h', 'UTC', '2026-11-24T16:30:00.000Z'],
  ['1.5 h ago', 'UTC', '2026-11-24T17:00:00.000Z'],
  ['3 d', 'UTC', '2026-11-21T18:30:00.000Z'],
  ['2026-03-29T03:30', 'Europe/Tallinn', '2026-03-29T01:30:00.000Z'],
  ['2026-10-25T03:30', 'Europe/Tallinn', '2026-10-25T00:30:00.000Z'],
] as const) {
  t.test(`${text} in ${timezone} is ${expected}`, async (t) => {
    t.equal(parseInstant('--since', text, { now, timezone }).toISOString(), expected);
  });
}

t.test('what is no point in time is refused with what is allowed', async (t) => {
  for (const text of [
    '',
    'soon',
    '2026-02-30',
    '2026-02-30T10:00Z',
    '25:00',
    '3 years',
    '2026-11-24T20:00+2',
  ]) {
    t.throws(() => parseInstant('--since', text, { now, timezone: 'UTC' }), {
      code: 'LINOD_ERR_USAGE',
      message: `expected --since to be a date (2026-11-24), a date and a time (2026-11-24T20:00, with a zone as in …+02:00 or Z, else in the site's), a time of today (20:00) or how long ago it was (15m, 1h30m, 2d), got: ${JSON.stringify(text)}`,
    });
  }
});
