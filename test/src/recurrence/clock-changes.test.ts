// Compares whole years of five zones, with each choice at clock changes, with a slow reference. luxon gives what the
// clocks show at every quarter of an hour, and the test applies the rules of test/vectors/README.md to each wall time.

import t from 'tap';
import { Recurrence, type RecurrenceFields } from '../../../src/recurrence/recurrence.js';
import { type MeantTimes, SteppedClock } from '../../support/stepped-clock.js';

const dayMs = 86_400_000;

const years = [
  { timezone: 'Australia/Lord_Howe', from: Date.UTC(2024, 0, 1), changes: 2 },
  // The clocks went back in April, forward in September, and over the whole 30 December.
  { timezone: 'Pacific/Apia', from: Date.UTC(2011, 1, 1), changes: 3 },
  { timezone: 'Africa/Casablanca', from: Date.UTC(2024, 0, 1), changes: 2 },
  { timezone: 'America/New_York', from: Date.UTC(2024, 0, 1), changes: 2 },
  { timezone: 'UTC', from: Date.UTC(2024, 0, 1), changes: 0 },
] as const;

/** A wall time is missing, repeated or neither, so not each choice for the one needs each choice for the other. */
const choices = [
  { missingTime: 'shifted', repeatedTime: 'first' },
  { missingTime: 'skipped', repeatedTime: 'second' },
  { missingTime: 'at-jump', repeatedTime: 'both' },
] as const;

interface Rule extends MeantTimes {
  readonly fields: Pick<RecurrenceFields, 'everyUnit' | 'every' | 'weekdays' | 'positions' | 'cron'>;
  readonly time: string;
}

const rules: readonly Rule[] = [
  ...['00:00', '00:30', '01:15', '02:00', '02:15', '02:30', '02:45', '03:00', '03:30', '10:00'].map(
    (time) => ({
      fields: { everyUnit: 'daily' as const },
      time,
      fits: (_day: Date, shown: string) => shown === time,
    }),
  ),
  {
    fields: { everyUnit: 'weekly', weekdays: ['sunday', 'friday'] },
    time: '02:15',
    fits: (day, shown) => shown === '02:15' && [0, 5].includes(day.getUTCDay()),
  },
  {
    fields: { everyUnit: 'monthly', weekdays: ['sunday'], positions: [-1] },
    time: '02:30',
    fits: (day, shown) =>
      shown === '02:30' &&
      day.getUTCDay() === 0 &&
      new Date(day.getTime() + 7 * dayMs).getUTCMonth() !== day.getUTCMonth(),
  },
  {
    fields: { everyUnit: 'cron', cron: '*/15 0-3 * * *' },
    time: '00:00',
    fits: (_day, shown) => Number(shown.slice(0, 2)) <= 3,
  },
  {
    fields: { everyUnit: 'cron', cron: '15,45 23,0,2 * * sun,fri,sat' },
    time: '00:00',
    fits: (day, shown) => /^(23|00|02):(15|45)$/.test(shown) && [0, 5, 6].includes(day.getUTCDay()),
  },
];

for (const { timezone, from, changes } of years) {
  t.test(`${timezone}: a whole year agrees with stepping through it, with each choice`, async (t) => {
    const clock = new SteppedClock(timezone, from - 10 * dayMs, from + 376 * dayMs);
    t.equal(clock.changes, changes, `${changes} clock changes`);
    for (const choice of choices) {
      for (const rule of rules) {
        const fields = {
          ...rule.fields,
          start: `${new Date(from - 5 * dayMs).toISOString().slice(0, 10)}T${rule.time}:00`,
          timezone,
          ...choice,
        };
        const expected = clock.due(rule, choice.missingTime, choice.repeatedTime, from - 5 * dayMs);
        const until = from + 366 * dayMs;
        const found = dueBetween(Recurrence.from(fields), from, until);
        const wanted = expected.filter((instant) => instant > from && instant <= until);
        const differing = found.findIndex((instant, i) => instant !== wanted[i]);
        if (found.length === wanted.length && differing < 0) continue;
        t.same(
          found.slice(differing, differing + 3).map(iso),
          wanted.slice(differing, differing + 3).map(iso),
          JSON.stringify(fields),
        );
      }
    }
    t.pass(`${rules.length} rules with ${choices.length} choices each`);
  });
}

t.test('the day that Apia skipped is skipped, shifted or due at the jump, also for cron', async (t) => {
  const due = (missingTime: 'shifted' | 'skipped' | 'at-jump') => {
    const cron = {
      everyUnit: 'cron',
      cron: '0 10,18 * * *',
      start: '2011-12-01T00:00:00',
      timezone: 'Pacific/Apia',
    } as const;
    const recurrence = Recurrence.from({ ...cron, missingTime });
    return dueBetween(recurrence, Date.UTC(2011, 11, 30, 5), Date.UTC(2012, 0, 1)).map(iso);
  };
  const regular = ['2011-12-30T20:00', '2011-12-31T04:00', '2011-12-31T20:00'];
  t.same(due('skipped'), regular);
  t.same(due('shifted'), regular, 'and merged with the next day');
  t.same(due('at-jump'), ['2011-12-30T10:00', ...regular], 'two wall times, one instant');
});

t.test('an interval of cron follows the clocks by default', async (t) => {
  const fields = { everyUnit: 'cron', start: '2024-01-01T00:00:00', timezone: 'Europe/Tallinn' } as const;
  const interval = Recurrence.from({ ...fields, cron: '*/30 * * * *' });
  t.match(interval.fields, { missingTime: 'skipped', repeatedTime: 'both' });
  const autumn = dueBetween(interval, Date.UTC(2024, 9, 26, 23, 59), Date.UTC(2024, 9, 27, 2)).map(iso);
  t.equal(autumn.length, 5, 'each half hour, also of the repeated hour');
  t.match(Recurrence.from({ ...fields, cron: '30 3 * * *' }).fields, {
    missingTime: 'shifted',
    repeatedTime: 'first',
  });
  t.match(Recurrence.from({ ...fields, cron: '* * * * *', repeatedTime: 'first' }).fields, {
    missingTime: 'skipped',
    repeatedTime: 'first',
  });
});

function dueBetween(recurrence: Recurrence, after: number, until: number): number[] {
  const found: number[] = [];
  let next = recurrence.nextAfter(new Date(after));
  while (next !== null && next.getTime() <= until) {
    found.push(next.getTime());
    next = recurrence.nextAfter(next);
  }
  return found;
}

function iso(instant: number): string {
  return new Date(instant).toISOString().slice(0, 16);
}
