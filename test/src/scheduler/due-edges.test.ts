// Where calendars and clocks are odd: due times run once, as the policies say, and the ledger knows why.

import { DateTime } from 'luxon';
import t, { type Test } from 'tap';
import { Recurrence } from '../../../src/recurrence/recurrence.js';
import { DueTimes } from '../../../src/rules/due-times.js';
import { withDefaults } from '../../../src/rules/policies.js';
import type { ScheduleOptions } from '../../../src/rules/procedure.js';
import { type Bench, noon, openBench } from '../../support/site.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const iso = (instant: number) => new Date(instant).toISOString().slice(0, 16);

async function benchWith(t: Test, options: ScheduleOptions): Promise<Bench> {
  const bench = await openBench(t);
  bench.add('report', () => undefined, options);
  await bench.tasks.setup();
  return bench;
}

async function look(bench: Bench, now: number): Promise<void> {
  bench.clock.setTo(now);
  await bench.tasks.run();
  await bench.tasks.settled();
}

/** Looks at the rules whenever the rule is due, up to an instant. */
async function runUntil(bench: Bench, until: number): Promise<void> {
  for (;;) {
    const due = (await bench.rules.get(1)).nextDueAt?.getTime();
    if (due === undefined || due > until) break;
    await look(bench, due);
  }
  bench.clock.setTo(until);
}

async function ranAt(bench: Bench): Promise<string[]> {
  const jobs = (await bench.jobs.list({ limit: 1000 })).reverse();
  return jobs.map(({ dueAt }) => (dueAt === null ? 'asked for' : iso(dueAt.getTime())));
}

async function ledger(bench: Bench): Promise<string[]> {
  const rows = await bench.store.db.selectFrom('decisions').selectAll().orderBy('id').execute();
  return rows.map(({ reason, detail }) => `${reason} ${detail}`.trimEnd());
}

t.test('a time that the clocks skip is run as its rule says', async (t) => {
  // Tallinn: on 28 March 2027 03:00 becomes 04:00.
  const ran = {
    shifted: ['2027-03-27T01:30', '2027-03-28T01:30', '2027-03-29T00:30'],
    'at-jump': ['2027-03-27T01:30', '2027-03-28T01:00', '2027-03-29T00:30'],
    skipped: ['2027-03-27T01:30', '2027-03-29T00:30'],
  } as const;
  for (const missingTime of ['shifted', 'at-jump', 'skipped'] as const) {
    const bench = await benchWith(t, { startDatetime: 'T03:30:00', timezone: 'Europe/Tallinn', missingTime });
    await look(bench, Date.UTC(2027, 2, 26, 12));
    await runUntil(bench, Date.UTC(2027, 2, 29, 12));
    t.same((await ranAt(bench)).slice(1), ran[missingTime], missingTime);
    const told = `${missingTime === 'skipped' ? 'skipped' : 'moved'} the clocks skip 2027-03-28T03:30:00`;
    t.equal((await ledger(bench)).filter((line) => line === told).length, 1, told);
  }
});

t.test('a time that the clocks show twice is run as its rule says', async (t) => {
  // On 31 October 2027 04:00 becomes 03:00.
  const ran = {
    first: ['2027-10-31T00:30', '2027-11-01T01:30'],
    second: ['2027-10-31T01:30', '2027-11-01T01:30'],
    both: ['2027-10-31T00:30', '2027-10-31T01:30', '2027-11-01T01:30'],
  } as const;
  for (const repeatedTime of ['first', 'second', 'both'] as const) {
    const bench = await benchWith(t, {
      startDatetime: 'T03:30:00',
      timezone: 'Europe/Tallinn',
      repeatedTime,
    });
    await look(bench, Date.UTC(2027, 9, 30, 12));
    await runUntil(bench, Date.UTC(2027, 10, 1, 12));
    t.same((await ranAt(bench)).slice(1), ran[repeatedTime], repeatedTime);
    const told = (await ledger(bench)).filter((line) => line.includes('twice'));
    t.equal(told.length, repeatedTime === 'both' ? 0 : 1);
  }
});

t.test('midnight, the end of the month and 29 February come when the calendar has them', async (t) => {
  const due = (options: ScheduleOptions) => benchWith(t, { timezone: 'America/New_York', ...options });
  const midnight = await due({ startDatetime: 'T00:00:00' });
  await runUntil(midnight, Date.UTC(2026, 10, 27));
  t.same(await ranAt(midnight), ['2026-11-25T05:00', '2026-11-26T05:00']);
  const the31st = await due({ everyUnit: 'monthly', startDatetime: '2026-10-31T23:30:00' });
  await runUntil(the31st, Date.UTC(2027, 4, 1));
  t.same(await ranAt(the31st), ['2027-01-01T04:30', '2027-02-01T04:30', '2027-04-01T03:30']);
  const last = await due({ everyUnit: 'cron', cron: '30 23 L * *' });
  await runUntil(last, Date.UTC(2027, 2, 2));
  t.same(await ranAt(last), ['2026-12-01T04:30', '2027-01-01T04:30', '2027-02-01T04:30', '2027-03-01T04:30']);
  const leap = await due({ everyUnit: 'yearly', startDatetime: '2024-02-29T10:00:00' });
  await runUntil(leap, Date.UTC(2033, 0, 1));
  t.same(await ranAt(leap), ['2028-02-29T15:00', '2032-02-29T15:00']);
});

t.test('29 February that is excluded is put off to 1 March', async (t) => {
  const leap = { everyUnit: 'yearly', startDatetime: '2024-02-29T10:00:00' } as const;
  const bench = await benchWith(t, { ...leap, excluded: ['02-29'], onExcluded: 'postpone' });
  await runUntil(bench, Date.UTC(2028, 11, 31));
  t.same(await ranAt(bench), ['2028-03-01T10:00']);
});

t.test(
  'a rule whose zone is changed is due at the same time of the other clocks, and does not run for that',
  async (t) => {
    const bench = await benchWith(t, { startDatetime: 'T20:00:00', timezone: 'Europe/Tallinn' });
    await runUntil(bench, noon + 7 * hourMs);
    t.same(await ranAt(bench), ['2026-11-24T18:00']);
    await bench.rules.edit(1, { timezone: 'America/New_York' });
    await look(bench, noon + 7 * hourMs);
    t.equal((await ranAt(bench)).length, 1);
    await runUntil(bench, noon + dayMs);
    t.same(await ranAt(bench), ['2026-11-24T18:00', '2026-11-25T01:00']);
  },
);

t.test('a clock that is set back by an hour runs nothing twice, also what is moved by jitter', async (t) => {
  for (const jitterSeconds of [0, 600]) {
    const bench = await benchWith(t, { everyUnit: 'minutely', every: 20, jitterSeconds });
    await runUntil(bench, noon + 2 * hourMs);
    const before = await ranAt(bench);
    t.equal(before.length, 6);
    await look(bench, noon + hourMs);
    await runUntil(bench, noon + 3 * hourMs);
    const after = await ranAt(bench);
    t.equal(new Set(after).size, after.length, 'no due time has two jobs');
    t.same(after.slice(0, before.length), before);
    t.equal(after.length - before.length, 3, 'and it goes on');
    t.ok(
      (await ledger(bench)).some(
        (line) => line.startsWith('moved') && /: the clock was set back by \d/.test(line),
      ),
    );
  }
});

t.test(
  'a clock that is set forward by a day makes up for what was missed once, and tells the rest',
  async (t) => {
    const bench = await benchWith(t, {
      everyUnit: 'hourly',
      startDatetime: 'T00:30:00',
      excluded: ['02:00-04:00'],
    });
    await look(bench, noon + 30 * 60_000);
    await look(bench, noon + 30 * 60_000 + dayMs);
    t.same(await ranAt(bench), ['2026-11-24T12:30', '2026-11-24T13:30']);
    t.match(await ledger(bench), [
      'started',
      'late by 23 h: the clock was set forward by 1 d',
      /^dropped 21 further due times passed meanwhile/,
      'skipped excluded by 02:00-04:00',
    ]);
    t.same((await bench.rules.get(1)).nextDueAt, new Date(noon + dayMs + 90 * 60_000));
  },
);

const years = [
  ['Australia/Lord_Howe', Date.UTC(2024, 0, 1)],
  // There was no 30 December.
  ['Pacific/Apia', Date.UTC(2011, 1, 1)],
  ['Africa/Casablanca', Date.UTC(2024, 0, 1)],
  ['America/New_York', Date.UTC(2024, 0, 1)],
  ['UTC', Date.UTC(2024, 0, 1)],
] as const;

/** A wall time is missing, repeated or neither, so not each choice for the one needs each choice for the other. */
const choices = [
  { missingTime: 'shifted', repeatedTime: 'first' },
  { missingTime: 'skipped', repeatedTime: 'second' },
  { missingTime: 'at-jump', repeatedTime: 'both' },
] as const;

for (const [timezone, from] of years) {
  t.test(`${timezone}: through a whole year exclusions go by what the clocks show`, async (t) => {
    for (const { missingTime, repeatedTime } of choices) {
      const recurrence = Recurrence.from({
        everyUnit: 'cron',
        cron: '15,45 0-3,12 * * *',
        start: '2010-01-01T00:00:00',
        timezone,
        missingTime,
        repeatedTime,
      });
      const policies = { ...withDefaults({}), excluded: ['sun', 'fri', '02:00-03:30', '12-20..12-25'] };
      const due = new DueTimes({ recurrence, policies, seed: 1 });
      const own = timesOf(recurrence, from);
      const admitted = own.filter((instant) => !isExcluded(DateTime.fromMillis(instant, { zone: timezone })));
      const choice = `${missingTime}, ${repeatedTime}`;
      t.same(timesOf(due, from).map(iso), admitted.map(iso), choice);
      const notes = due.skippedOrMovedBetween(from, from + 30 * dayMs);
      const leftOut = notes.filter(({ detail }) => detail.startsWith('excluded'));
      const count = own.filter((at) => at <= from + 30 * dayMs && !admitted.includes(at)).length;
      t.equal(
        leftOut.reduce((sum, { times }) => sum + times, 0),
        count,
        `${choice}: each time is told`,
      );
    }
  });
}

function isExcluded(at: DateTime): boolean {
  const minute = at.hour * 60 + at.minute;
  const isChristmas = at.month === 12 && at.day >= 20 && at.day <= 25;
  return at.weekday === 7 || at.weekday === 5 || (minute >= 120 && minute < 210) || isChristmas;
}

function timesOf(times: { nextAfter(after: Date): Date | null }, from: number): number[] {
  const found: number[] = [];
  for (let at = times.nextAfter(new Date(from)); at !== null && at.getTime() <= from + 366 * dayMs; ) {
    found.push(at.getTime());
    at = times.nextAfter(at);
  }
  return found;
}
