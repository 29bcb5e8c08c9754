import t from 'tap';
import { parseWhen } from '../../../../src/recurrence/notations/when.js';
import { parseWords } from '../../../../src/recurrence/notations/words.js';
import {
  describe,
  type EveryUnit,
  Recurrence,
  type RecurrenceFields,
  type Weekday,
} from '../../../../src/recurrence/recurrence.js';
import { cases, Random } from '../../../support/random.js';

const workdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'];
const everyDay: readonly Weekday[] = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
];

t.test('words have the expected meaning', async (t) => {
  for (const [text, expected] of [
    ['every 15 minutes', { everyUnit: 'minutely', every: 15, start: 'T00:00:00' }],
    ['every second', { everyUnit: 'secondly', every: 1 }],
    ['hourly', { everyUnit: 'hourly' }],
    ['daily at 20:00', { everyUnit: 'daily', start: 'T20:00:00' }],
    ['Every day at 8:30 pm', { everyUnit: 'daily', start: 'T20:30:00' }],
    ['every second day', { everyUnit: 'daily', every: 2 }],
    ['every 3rd day at noon', { everyUnit: 'daily', every: 3, start: 'T12:00:00' }],
    ['every day only on mon and fri', { everyUnit: 'daily', weekdays: ['monday', 'friday'] }],
    ['weekdays at 8', { everyUnit: 'weekly', weekdays: workdays, start: 'T08:00:00' }],
    [
      'every 2 weeks on mon, fri at 10:00',
      { everyUnit: 'weekly', every: 2, weekdays: ['monday', 'friday'], start: 'T10:00:00' },
    ],
    ['every other tuesday', { everyUnit: 'weekly', every: 2, weekdays: ['tuesday'] }],
    ['mondays and thursdays at 7am', { weekdays: ['monday', 'thursday'], start: 'T07:00:00' }],
    ['on mon-wed', { weekdays: ['monday', 'tuesday', 'wednesday'] }],
    ['every Saturday to Monday', { weekdays: ['saturday', 'sunday', 'monday'] }],
    [
      'monthly on the last friday at 18:30',
      { everyUnit: 'monthly', weekdays: ['friday'], positions: [-1], start: 'T18:30:00' },
    ],
    [
      'on the first and third Monday of the month',
      { everyUnit: 'monthly', weekdays: ['monday'], positions: [1, 3] },
    ],
    ['monthly on the second to last weekday', { weekdays: workdays, positions: [-2] }],
    ['on the first day that is a Saturday or Sunday', { weekdays: ['saturday', 'sunday'], positions: [1] }],
    ['every month on every Tuesday', { everyUnit: 'monthly', weekdays: ['tuesday'], positions: [] }],
    ['monthly on the 15th', { everyUnit: 'monthly', weekdays: [], start: '---15T00:00:00' }],
    ['monthly on the 1st and 15th', { everyUnit: 'monthly', weekdays: everyDay, positions: [1, 15] }],
    ['every 3 months on the last day', { every: 3, weekdays: everyDay, positions: [-1] }],
    ['yearly on 24 December', { everyUnit: 'yearly', start: '--12-24T00:00:00' }],
    ['on the 24th of dec at 18', { everyUnit: 'yearly', positions: [], start: '--12-24T18:00:00' }],
    ['yearly on December 24', { everyUnit: 'yearly', start: '--12-24T00:00:00' }],
    [
      'yearly on the last Sunday of March',
      { everyUnit: 'monthly', every: 12, positions: [-1], start: '--03-01T00:00:00' },
    ],
    [
      'every 2 years on the 100th day of the year',
      { everyUnit: 'yearly', every: 2, weekdays: everyDay, positions: [100] },
    ],
    ['yearly on the first Monday', { everyUnit: 'yearly', weekdays: ['monday'], positions: [1] }],
    ['2 days before easter', { everyUnit: 'easterly', start: 'easter-2T00:00:00' }],
    ['Good Friday at 9', { everyUnit: 'easterly', start: 'easter-2T09:00:00' }],
    ['every 2 years on Easter Monday', { everyUnit: 'easterly', every: 2, start: 'easter+1T00:00:00' }],
    ['7 weeks after Easter', { everyUnit: 'easterly', start: 'easter+49T00:00:00' }],
    ['daily at 9 in Europe/Tallinn', { timezone: 'Europe/Tallinn' }],
    ['daily 3 times in Europe/Tallinn', { count: 3, timezone: 'Europe/Tallinn' }],
    ['every day once in all', { everyUnit: 'daily', count: 1, timezone: null }],
    [
      'daily at 9 from 2026-01-05 until 5 March 2026, 10 times',
      { start: '2026-01-05T09:00:00', until: '2026-03-05T23:59:59', count: 10 },
    ],
    [
      'every 10 minutes from 5 Jan 2026 10:00:07 until 2026-01-06T10:00',
      { start: '2026-01-05T10:00:07', until: '2026-01-06T10:00:00' },
    ],
    ['monthly on the 31st from 2026-02-01', { start: '2026-03-31T00:00:00' }],
    [
      'daily at 02:30 missing times at the jump, repeated times both times',
      { missingTime: 'at-jump', repeatedTime: 'both' },
    ],
  ] as const) {
    t.match(parseWords(text), expected, text);
  }
});

t.test('an open start is the first fitting day', async (t) => {
  const start = (text: string) =>
    Recurrence.parse(text, { from: new Date('2026-11-24T22:30:00Z'), timezone: 'Europe/Tallinn' }).fields
      .start;
  t.equal(start('daily at 10:00'), '2026-11-25T10:00:00', 'it is the 25th in Tallinn already');
  t.equal(start('monthly on the 31st'), '2026-12-31T00:00:00');
  t.equal(start('yearly on 24 November'), '2027-11-24T00:00:00');
  t.equal(start('yearly on 25 November'), '2026-11-25T00:00:00');
  t.equal(start('yearly on 29 February'), '2028-02-29T00:00:00');
  t.equal(start('2 days before Easter'), '2027-03-26T00:00:00');
  t.throws(() => start('yearly on 30 February'), {
    code: 'LINOD_ERR_INVALID_RECURRENCE',
    message: /^expected when to be a day that the calendar has, got: "yearly on 30 February"$/,
  });
  t.throws(() => start('daily in Europe/Talinn'), {
    code: 'LINOD_ERR_INVALID_RECURRENCE',
    message: /did you mean "Europe\/Tallinn"\?$/,
  });
});

t.test('the text determines the notation', async (t) => {
  t.match(parseWhen('0 4 * * *'), { everyUnit: 'cron', cron: '0 4 * * *' });
  t.match(parseWhen('@daily'), { everyUnit: 'cron', cron: '0 0 * * *' });
  t.match(parseWhen('CRON_TZ=Europe/Tallinn 0 4 * * *'), { cron: '0 4 * * *', timezone: 'Europe/Tallinn' });
  t.match(parseWhen('FREQ=DAILY'), { everyUnit: 'daily' });
  t.match(parseWhen('2 days before easter'), { everyUnit: 'easterly' });
  t.throws(() => parseWhen('0 4 * *'), { code: 'LINOD_ERR_NOTATION', notation: 'cron' });
  t.throws(() => parseWhen('RRULE:FREQ=X'), { code: 'LINOD_ERR_NOTATION', notation: 'RRULE' });
  t.throws(() => parseWhen('whenever'), { code: 'LINOD_ERR_NOTATION', notation: 'words' });
});

for (const [text, message, found] of [
  [
    '',
    /^expected how often, such as: every 2 weeks on mon, fri at 10:00, got: the end, at character 1 of words ""$/,
    '',
  ],
  [
    'every 2 weks',
    /^expected a unit such as days or weeks, or a weekday, got: "weks", at character 9 of words "every 2 weks", did you mean "weeks"\?$/,
    'weks',
  ],
  ['every 0 days', /a number from 1 on/, '0'],
  [
    'every second friday',
    /a unit, as in "every 2 weeks on friday" or "monthly on the second friday", got: "friday"/,
    'friday',
  ],
  ['evry day', /a clause such as every, .*, did you mean "every"\?$/, 'evry'],
  ['at 8', /how often as well, such as: every day/, ''],
  ['daily daily', /expected how often once, got: "daily", at character 7/, 'daily'],
  ['daily at 25:00', /a time of day such as 10:00, 8 or 8:30pm, got: "25:00"/, '25:00'],
  ['daily at 8 and 20', /one time of day; cron can say several/, 'and'],
  ['daily on the frist', /a weekday, a date, or a position .*, did you mean "first"\?$/, 'frist'],
  ['weekly on 24 December', /expected yearly where the text says the date, got: "weekly"/, 'weekly'],
  ['every week on the last friday', /expected monthly where the text says the days, got: "every"/, 'every'],
  [
    'yearly on the first monday of the month',
    /expected monthly where the text says the days, got: "yearly"/,
    'yearly',
  ],
  ['monthly 2 days before easter', /expected yearly where the text says Easter, got: "monthly"/, 'monthly'],
  ['2 days before lunch', /expected "easter", got: "lunch"/, 'lunch'],
  ['2 moons before easter', /days or weeks before or after Easter, or times/, 'moons'],
  ['daily in', /the name of a time zone/, ''],
  ['daily from yesterday', /a date such as 2026-01-05 or 5 January 2026, got: "yesterday"/, 'yesterday'],
  ['daily from 5 January', /a year of four digits, got: the end/, ''],
  ['daily until 2026-02-30', /a date of the calendar, got: "2026-02-30"/, '2026-02-30'],
  ['daily missing times lost', /shifted, skipped or at the jump, got: "lost"/, 'lost'],
  ['daily repeated times thrice', /the first time, the second time or both times/, 'thrice'],
] as const) {
  t.test(`refused: ${text}`, async (t) => {
    t.throws(() => parseWords(text), { code: 'LINOD_ERR_NOTATION', notation: 'words', message, found });
  });
}

t.test('a description in English parses to the same recurrence', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  for (let i = 0; i < cases(100); i++) {
    const original = Recurrence.from(randomFields(random));
    const text = describe(original);
    const again = Recurrence.parse(text, { from: new Date(0) });
    const about = `${JSON.stringify(original.fields)}: ${text}`;
    // The description names the weekday of the start, so the fields may differ, but the words do not.
    t.equal(describe(again), text, about);
    const after = Date.parse(`${original.fields.start}Z`) - 86_400_000 * random.whole(-400, 2);
    t.same(due(again, after, 5), due(original, after, 5), about);
  }
});

function randomFields(random: Random): RecurrenceFields {
  const everyUnit: EveryUnit = random.pick([
    'secondly',
    'minutely',
    'hourly',
    'daily',
    'weekly',
    'monthly',
    'yearly',
    'easterly',
  ]);
  const isLong = everyUnit === 'monthly' || everyUnit === 'yearly';
  const weekdays = everyUnit !== 'easterly' && random.chance(0.5) ? random.some(everyDay) : [];
  const date = new Date(
    Date.UTC(
      random.whole(1990, 2026),
      random.whole(0, 11),
      random.whole(1, 31),
      random.whole(0, 23),
      random.whole(0, 59),
    ),
  );
  const second = random.chance(0.2) ? random.whole(0, 59) * 1000 : 0;
  return {
    everyUnit,
    every: random.pick([1, 1, 2, 3, 12, 24, random.whole(1, 60)]),
    weekdays: isLong && random.chance(0.2) ? everyDay : weekdays,
    positions:
      isLong && weekdays.length > 0 && random.chance(0.6)
        ? [...new Set([random.whole(1, 31), -random.whole(1, 12)])]
        : [],
    start: wall(date.getTime() + second),
    timezone: random.pick(['UTC', 'Europe/Tallinn', 'Australia/Lord_Howe', 'America/New_York']),
    until: random.chance(0.2) ? wall(date.getTime() + random.whole(0, 1500) * 86_400_000) : null,
    count: random.chance(0.2) ? random.whole(1, 40) : null,
    missingTime: random.pick(['shifted', 'skipped', 'at-jump']),
    repeatedTime: random.pick(['first', 'second', 'both']),
  };
}

function due(recurrence: Recurrence, after: number, n: number): string[] {
  const found: string[] = [];
  let next = recurrence.nextAfter(new Date(after));
  while (next !== null && found.length < n) {
    found.push(next.toISOString());
    next = recurrence.nextAfter(next);
  }
  return found;
}

function wall(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19);
}
