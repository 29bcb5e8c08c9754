import t from 'tap';
import { Recurrence, type RecurrenceFields } from '../../../src/recurrence/recurrence.js';
import { type DueEntry, DueTimes } from '../../../src/rules/due-times.js';

const hourMs = 3_600_000;

// Tallinn 2024: 03:00 becomes 04:00 on 31 March, 04:00 becomes 03:00 on 27 October.
const daily = { everyUnit: 'daily', start: '2024-01-01T03:30:00', timezone: 'Europe/Tallinn' } as const;

t.test('a missing time has a note about its effect', async (t) => {
  const from = '2024-03-30T12:00:00Z';
  t.same(rows(daily, from, 2), [
    ['2024-03-31T01:30:00.000Z', '2024-03-31T03:30:00', 'shifted', hourMs],
    ['2024-04-01T00:30:00.000Z', '2024-04-01T03:30:00', null, 0],
  ]);
  t.same(rows({ ...daily, missingTime: 'at-jump' }, from, 1), [
    ['2024-03-31T01:00:00.000Z', '2024-03-31T03:30:00', 'at-jump', hourMs],
  ]);
  t.same(rows({ ...daily, missingTime: 'skipped' }, from, 2), [
    [undefined, '2024-03-31T03:30:00', 'skipped', 0],
    ['2024-04-01T00:30:00.000Z', '2024-04-01T03:30:00', null, hourMs],
  ]);
});

t.test('a repeated time has a note about which of the two it is', async (t) => {
  const from = '2024-10-26T12:00:00Z';
  t.same(rows(daily, from, 2), [
    ['2024-10-27T00:30:00.000Z', '2024-10-27T03:30:00', 'first-of-two', 0],
    ['2024-10-28T01:30:00.000Z', '2024-10-28T03:30:00', null, -hourMs],
  ]);
  t.same(rows({ ...daily, repeatedTime: 'both' }, from, 2), [
    ['2024-10-27T00:30:00.000Z', '2024-10-27T03:30:00', 'first-of-two', 0],
    ['2024-10-27T01:30:00.000Z', '2024-10-27T03:30:00', 'second-of-two', -hourMs],
  ]);
});

t.test('elapsed time counts through a repeated hour', async (t) => {
  const hourly = { ...daily, everyUnit: 'hourly' } as const;
  t.same(
    rows(hourly, '2024-10-26T23:45:00Z', 3).map((row) => row.slice(1)),
    [
      ['2024-10-27T03:30:00', 'first-of-two', 0],
      ['2024-10-27T03:30:00', 'second-of-two', -hourMs],
      ['2024-10-27T04:30:00', null, 0],
    ],
  );
});

t.test('a skipped time counts as an entry of the requested number', async (t) => {
  const cron = {
    everyUnit: 'cron',
    cron: '*/10 * * * *',
    start: daily.start,
    timezone: 'Europe/Tallinn',
  } as const;
  const entries = timetable(cron, new Date('2024-03-31T00:45:00Z'), 4);
  t.same(
    entries.map(({ wall, note }) => [wall.slice(11, 16), note]),
    [
      ['02:50', null],
      ['03:00', 'skipped'],
      ['03:10', 'skipped'],
      ['03:20', 'skipped'],
    ],
  );
});

t.test('a recurrence that ends has a short timetable', async (t) => {
  t.equal(timetable({ ...daily, count: 3 }, new Date(0), 50).length, 3);
  t.same(timetable({ ...daily, count: 3 }, new Date('2025-01-01'), 50), []);
});

function timetable(fields: RecurrenceFields, from: Date, most: number): DueEntry[] {
  const policies = { excluded: [], onExcluded: 'skip', jitterSeconds: 0 } as const;
  return new DueTimes({ recurrence: Recurrence.from(fields), policies, seed: 1 }).timetable(from, most);
}

function rows(fields: RecurrenceFields, from: string, most: number): unknown[][] {
  const entries = timetable(fields, new Date(from), most);
  return entries.map(({ at, wall, note, clockChangeMs }) => [at?.toISOString(), wall, note, clockChangeMs]);
}
