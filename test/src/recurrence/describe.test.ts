import t from 'tap';
import {
  afterRule,
  describe,
  Languages,
  Recurrence,
  type RecurrenceFields,
} from '../../../src/recurrence.js';

const start = '2024-01-03T10:00:00';
const end = {
  missingTime: 'skipped',
  repeatedTime: 'both',
  until: '2027-01-01T23:59:59',
  count: 10,
} as const;

const sentences: ReadonlyArray<readonly [fields: RecurrenceFields, english: string, german: string]> = [
  [{ everyUnit: 'secondly', every: 10, start }, 'every 10 seconds', 'alle 10 Sekunden'],
  [
    { everyUnit: 'hourly', weekdays: ['saturday', 'sunday'], start },
    'every hour only on Saturday and Sunday',
    'jede Stunde nur samstags und sonntags',
  ],
  [{ everyUnit: 'daily', start }, 'every day at 10:00', 'jeden Tag um 10:00 Uhr'],
  [
    {
      everyUnit: 'daily',
      every: 2,
      weekdays: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'],
      start,
    },
    'every 2 days only on weekdays at 10:00',
    'alle 2 Tage nur montags bis freitags um 10:00 Uhr',
  ],
  [{ everyUnit: 'weekly', start }, 'every week on Wednesday at 10:00', 'jede Woche mittwochs um 10:00 Uhr'],
  [
    { everyUnit: 'weekly', every: 2, weekdays: ['friday', 'monday'], start },
    'every 2 weeks on Monday and Friday at 10:00',
    'alle 2 Wochen montags und freitags um 10:00 Uhr',
  ],
  [{ everyUnit: 'monthly', start }, 'every month on the 3rd at 10:00', 'jeden Monat am 3. um 10:00 Uhr'],
  [
    { everyUnit: 'monthly', weekdays: ['monday'], start },
    'every month on every Monday at 10:00',
    'jeden Monat an jedem Montag um 10:00 Uhr',
  ],
  [
    { everyUnit: 'monthly', every: 3, weekdays: ['friday'], positions: [1, -1], start },
    'every 3 months on the first and last Friday at 10:00',
    'alle 3 Monate am ersten und letzten Freitag um 10:00 Uhr',
  ],
  [
    { everyUnit: 'monthly', weekdays: ['saturday', 'sunday'], positions: [-2], start },
    'every month on the second to last day that is a Saturday or Sunday at 10:00',
    'jeden Monat am vorletzten Tag, der ein Samstag oder Sonntag ist, um 10:00 Uhr',
  ],
  [
    { everyUnit: 'monthly', every: 12, weekdays: ['sunday'], positions: [-1], start: '2024-03-01T02:30:15' },
    'every year on the last Sunday of March at 02:30:15',
    'jedes Jahr am letzten Sonntag im März um 02:30:15 Uhr',
  ],
  [
    { everyUnit: 'yearly', start },
    'every year on 3 January at 10:00',
    'jedes Jahr am 3. Januar um 10:00 Uhr',
  ],
  [
    { everyUnit: 'yearly', weekdays: ['monday'], positions: [12], start },
    'every year on the 12th Monday of the year at 10:00',
    'jedes Jahr am 12. Montag des Jahres um 10:00 Uhr',
  ],
  [
    { everyUnit: 'easterly', every: 2, start: '2024-03-29T10:00:00' },
    'every 2 years 2 days before Easter at 10:00',
    'alle 2 Jahre 2 Tage vor Ostersonntag um 10:00 Uhr',
  ],
  [
    { everyUnit: 'easterly', start: '2024-03-31T10:00:00' },
    'every year on Easter Sunday at 10:00',
    'jedes Jahr am Ostersonntag um 10:00 Uhr',
  ],
  [
    { everyUnit: 'daily', start, ...end },
    'every day at 10:00 until 1 January 2027, 10 times in all, missing times skipped, repeated times both times',
    'jeden Tag um 10:00 Uhr bis zum 1. Januar 2027, insgesamt 10-mal, fehlende Uhrzeiten ausgelassen, doppelte Uhrzeiten beide Male',
  ],
  ...cron(
    ['0 4 * * mon-fri', 'on weekdays at 04:00', 'montags bis freitags um 04:00 Uhr'],
    ['0 4,16 * * *', 'every day at 04:00 and 16:00', 'jeden Tag um 04:00 und 16:00 Uhr'],
    ['*/5 * * * *', 'every 5 minutes', 'alle 5 Minuten'],
    ['*/15 8-17 * * *', 'every 15 minutes of hours 8 to 17', 'alle 15 Minuten der Stunden 8 bis 17'],
    ['* * * * *', 'every minute', 'jede Minute'],
    ['* * * * * *', 'every second', 'jede Sekunde'],
    ['5,35 * * * *', 'at minutes 5 and 35 of every hour', 'in den Minuten 5 und 35 jeder Stunde'],
    ['0 * * * *', 'at minute 0 of every hour', 'in der Minute 0 jeder Stunde'],
    ['30 * 8 * * *', 'at second 30 of every minute of hour 8', 'in der Sekunde 30 jeder Minute der Stunde 8'],
    ['0 0 13 * fri', 'on the 13th or on Friday at 00:00', 'am 13. oder freitags um 00:00 Uhr'],
    [
      '0 0 */10 * fri',
      'on the 1st, 11th, 21st and 31st, but only on Friday at 00:00',
      'am 1., 11., 21. und 31., aber nur freitags um 00:00 Uhr',
    ],
    [
      '0 0 L jan,jul *',
      'on the last day at 00:00 in January and July',
      'am letzten Tag im Januar und Juli um 00:00 Uhr',
    ],
    [
      '0 9 * * 1#2,5L',
      'on the second Monday or on the last Friday at 09:00',
      'am zweiten Montag oder am letzten Freitag um 09:00 Uhr',
    ],
  ),
];

t.test('each kind of recurrence is told in English and in German', async (t) => {
  for (const [fields, english, german] of sentences) {
    const recurrence = Recurrence.from(fields);
    t.equal(describe(recurrence, 'en', { brief: true }), english);
    t.equal(describe(recurrence, 'de', { brief: true }), german);
  }
});

t.test('the zone and the start are told as well, unless it is to be brief', async (t) => {
  const daily = Recurrence.from({ everyUnit: 'daily', start, timezone: 'Europe/Tallinn' });
  t.equal(describe(daily), 'every day at 10:00 in Europe/Tallinn from 3 January 2024');
  t.equal(describe(daily, 'de'), 'jeden Tag um 10:00 Uhr (Zeitzone Europe/Tallinn) ab dem 3. Januar 2024');
  const often = Recurrence.from({ everyUnit: 'secondly', every: 300, start: '2024-01-03T10:00:07' });
  t.equal(describe(often), 'every 300 seconds in UTC from 3 January 2024 10:00:07');
  t.equal(describe(often, 'de'), 'alle 300 Sekunden (Zeitzone UTC) ab dem 3. Januar 2024, 10:00:07 Uhr');
});

t.test('a rule that runs after another one is told so', async (t) => {
  t.equal(afterRule('report'), 'after rule report');
  t.equal(afterRule('report', 'de'), 'nach Regel report');
});

t.test('every language has every message', async (t) => {
  t.same(
    Array.from(Languages, ({ value }) => value),
    ['en', 'de'],
  );
  const [first, ...others] = Array.from(Languages, ({ language }) => Object.keys(language).sort());
  for (const messages of others) t.same(messages, first);
});

function cron(
  ...rows: ReadonlyArray<readonly [cron: string, english: string, german: string]>
): Array<[RecurrenceFields, string, string]> {
  return rows.map(([text, english, german]) => [{ everyUnit: 'cron', cron: text, start }, english, german]);
}
