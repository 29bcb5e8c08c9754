import t from 'tap';
import { Recurrence } from '../../../../src/recurrence/recurrence.js';
import { easterSunday } from '../../../../src/recurrence/time/easter.js';

const dayMs = 86_400_000;

t.test('Easter is on known Sundays', async (t) => {
  for (const day of [
    '1943-04-25',
    '1961-04-02',
    '2000-04-23',
    '2008-03-23',
    '2011-04-24',
    '2024-03-31',
    '2025-04-20',
    '2026-04-05',
    '2038-04-25',
    '2285-03-22',
  ]) {
    t.equal(easterDate(Number(day.slice(0, 4))), day);
  }
});

t.test('Easter agrees with another algorithm, up to the year 9999', async (t) => {
  const wrong: number[] = [];
  for (let year = 1583; year <= 9999; year++) if (easterDate(year) !== lichtenberg(year)) wrong.push(year);
  t.same(wrong, []);
});

t.test('a rule by Easter keeps its distance from Easter', async (t) => {
  const goodFriday = {
    everyUnit: 'easterly',
    start: '2024-03-29T10:00:00',
    timezone: 'Europe/Tallinn',
  } as const;
  // The clocks go forward on the last Sunday of March.
  t.same(due(goodFriday, 4), [
    '2024-03-29T08:00',
    '2025-04-18T07:00',
    '2026-04-03T07:00',
    '2027-03-26T08:00',
  ]);
  t.same(due({ ...goodFriday, every: 2 }, 2), ['2024-03-29T08:00', '2026-04-03T07:00']);
  t.same(due({ ...goodFriday, count: 2 }, 9), ['2024-03-29T08:00', '2025-04-18T07:00']);
  t.same(due({ ...goodFriday, until: '2025-04-18T10:00:00' }, 9), ['2024-03-29T08:00', '2025-04-18T07:00']);
});

t.test('a rule may be far from Easter, even in another year', async (t) => {
  const newYear = { everyUnit: 'easterly', start: '2024-12-31T00:00:00' } as const;
  // 275 days after Easter.
  t.same(due(newYear, 3), ['2024-12-31T00:00', '2026-01-20T00:00', '2027-01-05T00:00']);
});

t.test('every Easter of a thousand years is due once', async (t) => {
  const recurrence = Recurrence.from({ everyUnit: 'easterly', start: '2000-04-21T12:00:00' });
  const wrong: number[] = [];
  for (let year = 2000; year < 3000; year++) {
    const day = (easterSunday(year) - 2) * dayMs;
    const next = recurrence.nextAfter(new Date(Date.UTC(year, 0, 1)));
    if (next?.getTime() !== day + dayMs / 2) wrong.push(year);
    if (recurrence.nextAfter(new Date(day + dayMs / 2))?.getUTCFullYear() !== year + 1) wrong.push(year);
  }
  t.same(wrong, []);
});

t.test('weekdays are refused with Easter', async (t) => {
  const fields = { everyUnit: 'easterly', weekdays: ['monday'], start: '2024-03-29T10:00:00' } as const;
  t.throws(() => Recurrence.from(fields), {
    message: /^expected weekdays to be empty where everyUnit is easterly/,
  });
});

function due(fields: Parameters<typeof Recurrence.from>[0], n: number): string[] {
  const recurrence = Recurrence.from(fields);
  const found: string[] = [];
  let next = recurrence.nextAfter(new Date('2020-01-01T00:00:00Z'));
  while (next !== null && found.length < n) {
    found.push(next.toISOString().slice(0, 16));
    next = recurrence.nextAfter(next);
  }
  return found;
}

function easterDate(year: number): string {
  return new Date(easterSunday(year) * dayMs).toISOString().slice(0, 10);
}

/** Gauss's algorithm as Heiner Lichtenberg completed it in 1997: the day in March, perhaps above 31. */
function lichtenberg(year: number): string {
  const century = Math.floor(year / 100);
  const moon = 15 + Math.floor((3 * century + 3) / 4) - Math.floor((8 * century + 13) / 25);
  const sun = 2 - Math.floor((3 * century + 3) / 4);
  const cycle = year % 19;
  const seed = (19 * cycle + moon) % 30;
  const reduction = Math.floor((seed + Math.floor(cycle / 11)) / 29);
  const border = 21 + seed - reduction;
  const firstSunday = 7 - ((year + Math.floor(year / 4) + sun) % 7);
  const easter = border + 7 - ((border - firstSunday) % 7);
  return new Date(Date.UTC(year, 2, easter)).toISOString().slice(0, 10);
}
