import t from 'tap';
import {
  afterRule,
  describe,
  Recurrence,
  type RecurrenceFields,
} from '../../../../src/recurrence/recurrence.js';

const start = '2024-01-03T10:00:00';
const end = {
  missingTime: 'skipped',
  repeatedTime: 'both',
  until: '2027-01-01T23:59:59',
  count: 10,
} as const;

const sentences: ReadonlyArray<readonly [fields: RecurrenceFields, english: string]> = [
  [{ everyUnit: 'secondly', every: 10, start }, 'every 10 seconds'],
  [
    { everyUnit: 'hourly', weekdays: ['saturday', 'sunday'], start },
    'every hour only on Saturday and Sunday',
  ],
  [{ everyUnit: 'daily', start }, 'every day at 10:00'],
  [
    {
      everyUnit: 'daily',
      every: 2,
      weekdays: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'],
      start,
    },
    'every 2 days only on weekdays at 10:00',
  ],
  [{ everyUnit: 'weekly', start }, 'every week on Wednesday at 10:00'],
  [
    { everyUnit: 'weekly', every: 2, weekdays: ['friday', 'monday'], start },
    'every 2 weeks on Monday and Friday at 10:00',
  ],
  [{ everyUnit: 'monthly', start }, 'every month on the 3rd at 10:00'],
  [{ everyUnit: 'monthly', weekdays: ['monday'], start }, 'every month on every Monday at 10:00'],
  [
    { everyUnit: 'monthly', every: 3, weekdays: ['friday'], positions: [1, -1], start },
    'every 3 months on the first and last Friday at 10:00',
  ],
  [
    { everyUnit: 'monthly', weekdays: ['saturday', 'sunday'], positions: [-2], start },
    'every month on the second to last day that is a Saturday or Sunday at 10:00',
  ],
  [
    { everyUnit: 'monthly', every: 12, weekdays: ['sunday'], positions: [-1], start: '2024-03-01T02:30:15' },
    'every year on the last Sunday of March at 02:30:15',
  ],
  [{ everyUnit: 'yearly', start }, 'every year on 3 January at 10:00'],
  [
    { everyUnit: 'yearly', weekdays: ['monday'], positions: [12], start },
    'every year on the 12th Monday of the year at 10:00',
  ],
  [
    { everyUnit: 'easterly', every: 2, start: '2024-03-29T10:00:00' },
    'every 2 years 2 days before Easter at 10:00',
  ],
  [{ everyUnit: 'easterly', start: '2024-03-31T10:00:00' }, 'every year on Easter Sunday at 10:00'],
  [
    { everyUnit: 'daily', start, ...end },
    'every day at 10:00 until 1 January 2027, 10 times in all, missing times skipped, repeated times both times',
  ],
  ...cron(
    ['0 4 * * mon-fri', 'on weekdays at 04:00'],
    ['0 4,16 * * *', 'every day at 04:00 and 16:00'],
    ['*/5 * * * *', 'every 5 minutes'],
    ['*/15 8-17 * * *', 'every 15 minutes of hours 8 to 17'],
    ['* * * * *', 'every minute'],
    ['* * * * * *', 'every second'],
    ['5,35 * * * *', 'at minutes 5 and 35 of every hour'],
    ['0 * * * *', 'at minute 0 of every hour'],
    ['30 * 8 * * *', 'at second 30 of every minute of hour 8'],
    ['0 0 13 * fri', 'on the 13th or on Friday at 00:00'],
    ['0 0 */10 * fri', 'on the 1st, 11th, 21st and 31st, but only on Friday at 00:00'],
    ['0 0 L jan,jul *', 'on the last day at 00:00 in January and July'],
    ['0 9 * * 1#2,5L', 'on the second Monday or on the last Friday at 09:00'],
  ),
];

t.test('each kind of recurrence is described in English', async (t) => {
  for (const [fields, english] of sentences) {
    const recurrence = Recurrence.from(fields);
    t.equal(describe(recurrence, { brief: true }), english);
  }
});

t.test('a description has the zone and the start, unless it is brief', async (t) => {
  const daily = Recurrence.from({ everyUnit: 'daily', start, timezone: 'Europe/Tallinn' });
  t.equal(describe(daily), 'every day at 10:00 in Europe/Tallinn from 3 January 2024');
  const often = Recurrence.from({ everyUnit: 'secondly', every: 300, start: '2024-01-03T10:00:07' });
  t.equal(describe(often), 'every 300 seconds in UTC from 3 January 2024 10:00:07');
});

t.test('a rule that runs after another one has a description', async (t) => {
  t.equal(afterRule('report'), 'after rule report');
});

function cron(
  ...rows: ReadonlyArray<readonly [cron: string, english: string]>
): Array<[RecurrenceFields, string]> {
  return rows.map(([text, english]) => [{ everyUnit: 'cron', cron: text, start }, english]);
}
