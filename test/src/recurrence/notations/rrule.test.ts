import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseRrule } from '../../../../src/recurrence/notations/rrule.js';
import { Recurrence } from '../../../../src/recurrence/recurrence.js';

interface Vector {
  readonly id: string;
  readonly rule: { readonly start: string; readonly timezone: string };
  readonly rrule: string;
  readonly after: string;
  readonly next: readonly string[];
}

t.test('the RRULEs of the vectors have the due times of the vectors', async (t) => {
  const file = new URL('../../../vectors/recurrence.json', import.meta.url);
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vector[];
  // Its UNTIL lies in a gap: in UTC it is the same as one an hour later.
  const ambiguous = 'edge-until-inside-gap-daily-early';
  const wrong: string[] = [];
  for (const { id, rule, rrule, after, next } of vectors) {
    const start = rule.start.replace(/[-:]/g, '');
    const text = `DTSTART;TZID=${rule.timezone}:${start}\nRRULE:${rrule}`;
    const recurrence = Recurrence.parse(text, { from: new Date(after) });
    if (due(recurrence, after, 5).join() !== next.join() && id !== ambiguous) wrong.push(`${id}: ${text}`);
  }
  t.equal(vectors.length, 2050);
  t.same(wrong, []);
});

t.test('an RRULE without DTSTART has an open start', async (t) => {
  const everyDay = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
  for (const [text, expected] of [
    ['FREQ=DAILY', { everyUnit: 'daily', start: 'T00:00:00', timezone: null }],
    ['RRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=30', { start: 'T09:30:00' }],
    ['FREQ=MONTHLY;BYMONTHDAY=15', { everyUnit: 'monthly', weekdays: [], start: '---15T00:00:00' }],
    ['FREQ=MONTHLY;BYMONTHDAY=1,15', { weekdays: everyDay, positions: [1, 15] }],
    ['FREQ=MONTHLY;BYMONTHDAY=-1', { weekdays: everyDay, positions: [-1] }],
    ['FREQ=MONTHLY;BYDAY=1FR,-1FR', { weekdays: ['friday'], positions: [1, -1] }],
    ['FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1', { positions: [-1] }],
    ['FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24;BYHOUR=18', { everyUnit: 'yearly', start: '--12-24T18:00:00' }],
    [
      'FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU',
      { everyUnit: 'monthly', every: 12, positions: [-1], start: '--03-01T00:00:00' },
    ],
    ['FREQ=YEARLY;BYYEARDAY=100', { everyUnit: 'yearly', weekdays: everyDay, positions: [100] }],
    ['FREQ=YEARLY;BYEASTER=-2', { everyUnit: 'easterly', start: 'easter-2T00:00:00' }],
    ['freq=weekly;wkst=su;byday=mo', { everyUnit: 'weekly', weekdays: ['monday'] }],
    ['FREQ=DAILY;UNTIL=20270101', { until: '2027-01-01T23:59:59' }],
    ['FREQ=DAILY;UNTIL=20270101T100000;COUNT=3', { until: '2027-01-01T10:00:00', count: 3 }],
  ] as const) {
    t.match(parseRrule(text), expected, text);
  }
});

t.test('DTSTART', async (t) => {
  t.match(parseRrule('DTSTART:20240103T100000Z RRULE:FREQ=DAILY'), {
    start: '2024-01-03T10:00:00',
    timezone: 'UTC',
  });
  t.match(
    parseRrule('DTSTART;VALUE=DATE:20240103\\nRRULE:FREQ=DAILY'),
    { start: '2024-01-03T00:00:00', timezone: null },
    'a shell passes \\n as two characters',
  );
  const zone = 'DTSTART;TZID=Europe/Tallinn:20240103T100000\nRRULE:FREQ=';
  t.match(
    parseRrule(`${zone}DAILY;UNTIL=20240203T080000Z`),
    { until: '2024-02-03T10:00:00', timezone: 'Europe/Tallinn' },
    'an end in UTC is converted to the zone',
  );
  t.match(
    parseRrule(`${zone}MONTHLY;BYMONTHDAY=2`),
    { start: '2024-02-02T10:00:00' },
    'moved to the first day that fits',
  );
  t.match(parseRrule(`${zone}YEARLY;INTERVAL=2;BYMONTH=3;BYDAY=1MO`), {
    every: 24,
    start: '2024-03-01T10:00:00',
  });
});

for (const [text, message, found] of [
  ['DTSTART:20240103T100000', /^expected FREQ, such as RRULE:FREQ=DAILY, got: ""/, ''],
  [
    'FREQ=DALY',
    /FREQ to be SECONDLY, .* or YEARLY, got: "DALY", at character 6 of RRULE "FREQ=DALY", did you mean "DAILY"\?$/,
    'DALY',
  ],
  ['FREQ=DAILY;INTERVALL=2', /one of the parts .*, did you mean "INTERVAL"\?$/, 'INTERVALL'],
  ['FREQ=DAILY;INTERVAL=0', /INTERVAL to be a positive whole number/, '0'],
  ['FREQ=DAILY;FREQ=DAILY', /expected FREQ once/, 'FREQ=DAILY'],
  ['FREQ=YEARLY;BYWEEKNO=3', /^expected one of the parts FREQ, /, 'BYWEEKNO'],
  ['FREQ=DAILY;BYMONTH=1', /with FREQ=DAILY nothing or BYDAY, not BYMONTH/, '1'],
  ['FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=1', /one month from 1 to 12; cron has rules with several/, '1,7'],
  ['FREQ=DAILY;BYHOUR=9,17', /BYHOUR to be one number from 0 to 23; cron has rules with several/, '9,17'],
  ['FREQ=HOURLY;BYMINUTE=5', /no BYMINUTE with FREQ=HOURLY/, '5'],
  ['DTSTART:20240103T100000 FREQ=DAILY;BYHOUR=9', /BYHOUR to be the time of DTSTART, 10:00:00/, '9'],
  ['FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU', /WKST to be MO: weeks begin on Monday here/, 'SU'],
  ['FREQ=WEEKLY;BYDAY=1MO', /BYDAY without numbers, which only months and years have/, '1MO'],
  ['FREQ=WEEKLY;BYDAY=MX', /BYDAY to be days such as MO or -1FR/, 'MX'],
  ['FREQ=MONTHLY;BYDAY=1FR,2MO', /BYDAY to be one weekday with numbers/, '1FR,2MO'],
  ['FREQ=MONTHLY;BYSETPOS=1', /with FREQ=MONTHLY nothing or BYDAY; .*, not BYSETPOS/, '1'],
  ['FREQ=MONTHLY;BYMONTHDAY=32', /BYMONTHDAY to be days of the month/, '32'],
  ['FREQ=DAILY;UNTIL=20240101T000000Z', /UNTIL without Z, or DTSTART with a TZID/, '20240101T000000Z'],
  ['DTSTART;X-A=1:20240103T100000 FREQ=DAILY', /TZID or VALUE as the parameters/, '20240103T100000'],
  ['FREQ=DAILY;UNTIL=tomorrow', /a date and time such as 20240103T100000/, 'TOMORROW'],
  [
    'DTSTART;TZID=Europe/Tallinn:20240103T100000Z FREQ=DAILY',
    /no Z where there is a TZID/,
    '20240103T100000Z',
  ],
  [
    'DTSTART:20240103T100000 FREQ=DAILY EXDATE:20240104T100000',
    /at most one DTSTART and one RRULE, and nothing else/,
    'EXDATE:20240104T100000',
  ],
  ['RRULE:FREQ=DAILY RRULE:FREQ=WEEKLY', /at most one DTSTART and one RRULE/, 'RRULE:FREQ=WEEKLY'],
  [
    'DTSTART:20240603T100000 FREQ=YEARLY;INTERVAL=2;BYMONTH=3;BYDAY=1MO',
    /INTERVAL to be 1 where the rule has no further day in the year of DTSTART/,
    '2',
  ],
] as const) {
  t.test(`refused: ${text}`, async (t) => {
    t.throws(() => parseRrule(text), { code: 'LINOD_ERR_NOTATION', notation: 'RRULE', message, found });
  });
}

function due(recurrence: Recurrence, after: string, n: number): string[] {
  const found: string[] = [];
  let next = recurrence.nextAfter(new Date(after));
  while (next !== null && found.length < n) {
    found.push(next.toISOString().replace('.000Z', 'Z'));
    next = recurrence.nextAfter(next);
  }
  return found;
}
