import t from 'tap';
import { AdmittedTimes } from '../../../src/recurrence/admitted-times.js';
import { Exclusions } from '../../../src/recurrence/exclusions.js';
import { Recurrence, type RecurrenceFields } from '../../../src/recurrence/recurrence.js';
import { Zone } from '../../../src/recurrence/time/zone.js';
import { cases, Random } from '../../support/random.js';

const dayMs = 86_400_000;

/** A slow reference for due times between two instants: checks each time of the recurrence. */
function dueSlowly(
  fields: RecurrenceFields,
  excluded: readonly string[],
  onExcluded: 'skip' | 'postpone',
  [from, to]: readonly [number, number],
): number[] {
  const zone = Zone.named(fields.timezone ?? 'UTC');
  if (zone === undefined) throw new TypeError('expected a zone');
  const exclusions = new Exclusions(excluded);
  const shown = (instant: number) => instant + zone.offsetAt(instant);
  const own = times(Recurrence.from(fields), from - 20 * dayMs, to);
  const isExcluded = (instant: number) => exclusions.at(shown(instant)) !== undefined;
  const due = new Set(own.filter((instant) => !isExcluded(instant)));
  if (onExcluded === 'skip') return within(due, from, to);
  const admitted = [...due];
  for (const instant of own.filter(isExcluded)) {
    const at = postponeSlowly(instant, zone, exclusions);
    if (at === null) continue;
    if (!admitted.some((other) => other > instant && other <= at)) due.add(at);
  }
  return within(due, from, to);
}

/** Moves on until the clocks show a time that is not excluded; shifts one that they skip. */
function postponeSlowly(instant: number, zone: Zone, exclusions: Exclusions): number | null {
  for (let at = instant; ; ) {
    const wall = exclusions.postponed(at + zone.offsetAt(at));
    if (wall === null || wall === at + zone.offsetAt(at)) return wall === null ? null : at;
    const offsets = [zone.offsetAt(wall - dayMs), zone.offsetAt(wall + dayMs)];
    const shownAt = offsets.map((offset) => wall - offset).filter((i) => i + zone.offsetAt(i) === wall);
    const later = shownAt.filter((candidate) => candidate > at);
    at = later.length > 0 ? Math.min(...later) : wall - zone.offsetAt(wall - dayMs);
  }
}

function within(instants: Iterable<number>, from: number, to: number): number[] {
  return [...instants].filter((instant) => instant > from && instant <= to).sort((a, b) => a - b);
}

function times(recurrence: { nextAfter(after: Date): Date | null }, from: number, to: number): number[] {
  const found: number[] = [];
  for (let at = recurrence.nextAfter(new Date(from)); at !== null && at.getTime() <= to; ) {
    found.push(at.getTime());
    at = recurrence.nextAfter(at);
  }
  return found;
}

function admittedTimes(
  fields: RecurrenceFields,
  excluded: readonly string[],
  onExcluded: 'skip' | 'postpone',
): AdmittedTimes {
  return new AdmittedTimes(Recurrence.from(fields).occurrences, new Exclusions(excluded), onExcluded);
}

function due(admitted: AdmittedTimes, from: number, to: number): number[] {
  const asDates = {
    nextAfter: (after: Date) => {
      const next = admitted.nextAfter(after.getTime());
      return next === null ? null : new Date(next);
    },
  };
  return times(asDates, from, to);
}

const iso = (instant: number) => new Date(instant).toISOString().slice(0, 19);

const exclusionLists: ReadonlyArray<readonly string[]> = [
  ['sat', 'sun'],
  ['sat-mon'],
  ['09:00-17:00'],
  ['22:00-06:00'],
  ['sat', 'sun', '22:00-06:00', 'mon 06:00-11:00'],
  ['12-24..01-02', 'easter-2..easter+1', 'sun'],
  ['mon-fri 09:00-12:00', 'mon-fri 12:00-13:00', '10-25', '03-29'],
  ['01:00-03:15'],
  ['02:30-03:30', 'sun 00:00-02:00'],
];
const zones = ['UTC', 'Europe/Tallinn', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca'];
const recurrences: ReadonlyArray<
  Pick<RecurrenceFields, 'everyUnit' | 'every' | 'weekdays' | 'positions' | 'cron'>
> = [
  { everyUnit: 'daily' },
  { everyUnit: 'daily', every: 3 },
  { everyUnit: 'weekly', weekdays: ['saturday'] },
  { everyUnit: 'monthly' },
  { everyUnit: 'monthly', weekdays: ['sunday'], positions: [-1] },
  { everyUnit: 'cron', cron: '0 10,18 * * *' },
  { everyUnit: 'cron', cron: '30 2,9,23 1,25 * *' },
];

t.test('with skip, exactly the times that are not excluded are due', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const more = [
    { everyUnit: 'hourly' },
    { everyUnit: 'minutely', every: 47 },
    { everyUnit: 'cron', cron: '*/20 * * * *' },
  ];
  for (let i = 0; i < cases(15); i++) {
    const fields = randomFields(random, [...recurrences, ...(more as typeof recurrences)]);
    const excluded = random.pick(exclusionLists);
    const from = Date.UTC(2026, random.whole(0, 11), random.whole(1, 28), random.whole(0, 23));
    const range = [from, from + 40 * dayMs] as const;
    const found = due(admittedTimes(fields, excluded, 'skip'), ...range).map(iso);
    t.same(found, dueSlowly(fields, excluded, 'skip', range).map(iso), JSON.stringify({ fields, excluded }));
  }
});

t.test(
  'with postpone, an excluded time is due later, unless the rule is due by itself until then',
  async (t) => {
    const random = new Random();
    t.comment(`SEED=${random.seed}`);
    for (let i = 0; i < cases(25); i++) {
      const fields = randomFields(random, recurrences);
      const excluded = random.pick(exclusionLists);
      const from = Date.UTC(2026, random.whole(0, 11), random.whole(1, 28), random.whole(0, 23));
      const range = [from, from + 90 * dayMs] as const;
      const found = due(admittedTimes(fields, excluded, 'postpone'), ...range).map(iso);
      t.same(
        found,
        dueSlowly(fields, excluded, 'postpone', range).map(iso),
        JSON.stringify({ fields, excluded }),
      );
    }
  },
);

t.test('the next due time is the same from any instant before it', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const more = [
    { everyUnit: 'hourly' },
    { everyUnit: 'secondly', every: 7 },
    { everyUnit: 'cron', cron: '*/20 * * * *' },
  ];
  for (let i = 0; i < cases(50); i++) {
    const fields = randomFields(random, [...recurrences, ...(more as typeof recurrences)]);
    const admitted = admittedTimes(fields, random.pick(exclusionLists), random.pick(['skip', 'postpone']));
    const after = Date.UTC(2026, random.whole(0, 11), random.whole(1, 28)) + random.whole(0, dayMs);
    const next = admitted.nextAfter(after);
    // Some rules are never due, such as one on Saturdays without Saturdays.
    if (next === null) continue;
    t.ok(next > after, `${JSON.stringify(fields)} after ${iso(after)}`);
    const between = random.whole(after, next - 1);
    t.equal(admitted.nextAfter(between), next, `${JSON.stringify(fields)} after ${iso(between)}`);
  }
});

t.test('an interval is due once at the end of an exclusion', async (t) => {
  const every7 = { everyUnit: 'secondly', every: 7, start: '2026-11-01T00:00:00', timezone: 'UTC' } as const;
  const nightly = admittedTimes(every7, ['22:00-06:00'], 'postpone');
  t.equal(iso(nightly.nextAfter(Date.UTC(2026, 10, 24, 21, 59, 59)) ?? 0), '2026-11-25T06:00:00');
  t.equal(iso(nightly.nextAfter(Date.UTC(2026, 10, 25, 3)) ?? 0), '2026-11-25T06:00:00', 'from the middle');
  const end = new Date('2026-11-25T06:00:00Z');
  t.equal(
    nightly.nextAfter(end.getTime()),
    Recurrence.from(every7).nextAfter(end)?.getTime(),
    'then as usual',
  );
});

t.test('every 48 hours on an excluded day is due on the next day', async (t) => {
  const fields = { everyUnit: 'hourly', every: 48, start: '2026-11-26T10:00:00', timezone: 'UTC' } as const;
  const from = Date.UTC(2026, 10, 26, 12);
  t.same(due(admittedTimes(fields, ['sat', 'sun'], 'postpone'), from, from + 7 * dayMs).map(iso), [
    '2026-11-30T10:00:00',
    '2026-12-02T10:00:00',
  ]);
});

t.test('two times on the first of the month become two on the next working day', async (t) => {
  const fields = {
    everyUnit: 'cron',
    cron: '0 9,13 1 * *',
    start: '2026-01-01T00:00:00',
    timezone: 'UTC',
  } as const;
  // 1 August 2026 is a Saturday.
  const from = Date.UTC(2026, 7, 1);
  t.same(due(admittedTimes(fields, ['sat', 'sun'], 'postpone'), from, from + 10 * dayMs).map(iso), [
    '2026-08-03T09:00:00',
    '2026-08-03T13:00:00',
  ]);
});

t.test('a rule whose times are all excluded is never due, and the search ends', async (t) => {
  const saturdays = { everyUnit: 'weekly', weekdays: ['saturday'], start: '2026-01-01T10:00:00' } as const;
  t.equal(admittedTimes(saturdays, ['sat'], 'skip').nextAfter(Date.UTC(2026, 0, 1)), null);
  t.equal(admittedTimes(saturdays, ['mon-sun'], 'postpone').nextAfter(Date.UTC(2026, 0, 1)), null);
  t.equal(
    iso(admittedTimes(saturdays, ['sat'], 'postpone').nextAfter(Date.UTC(2026, 0, 1)) ?? 0),
    '2026-01-04T10:00:00',
  );
});

t.test('a recurrence ends at its end, but its last time may be postponed past that', async (t) => {
  const fields = { everyUnit: 'daily', start: '2026-11-27T10:00:00', count: 2 } as const;
  const from = Date.UTC(2026, 10, 27);
  t.same(due(admittedTimes(fields, ['sat', 'sun'], 'postpone'), from, from + 30 * dayMs).map(iso), [
    '2026-11-27T10:00:00',
    '2026-11-30T10:00:00',
  ]);
  t.same(due(admittedTimes(fields, ['sat', 'sun'], 'skip'), from, from + 30 * dayMs).map(iso), [
    '2026-11-27T10:00:00',
  ]);
});

t.test('a time that is postponed across a clock change keeps its time of day', async (t) => {
  // Tallinn: on Sunday 29 March 2026 03:00 becomes 04:00, on Sunday 25 October 04:00 becomes 03:00.
  const at = (time: string, onExcluded: 'skip' | 'postpone', excluded: string[], from: string) => {
    const fields = { everyUnit: 'weekly', weekdays: ['saturday'], start: `2026-01-03T${time}:00` } as const;
    const admitted = admittedTimes({ ...fields, timezone: 'Europe/Tallinn' }, excluded, onExcluded);
    return iso(admitted.nextAfter(Date.parse(from)) ?? 0);
  };
  t.equal(
    at('10:00', 'postpone', ['sat'], '2026-03-27T12:00:00Z'),
    '2026-03-29T07:00:00',
    '10:00 of summer time',
  );
  t.equal(
    at('03:30', 'postpone', ['sat'], '2026-03-27T12:00:00Z'),
    '2026-03-29T01:30:00',
    'skipped: shifted',
  );
  t.equal(
    at('03:30', 'postpone', ['sat', '04:00-05:00'], '2026-03-27T12:00:00Z'),
    '2026-03-29T02:00:00',
    'shifted into an exclusion: after its end',
  );
  t.equal(
    at('03:30', 'postpone', ['sat'], '2026-10-23T12:00:00Z'),
    '2026-10-25T00:30:00',
    'twice: the first time',
  );
  t.equal(at('10:00', 'postpone', ['sat', 'sun'], '2026-10-23T12:00:00Z'), '2026-10-26T08:00:00');
});

t.test('a window that ends at a clock change ends there', async (t) => {
  const hourly = (excluded: string[], from: string, count: number) => {
    const admitted = admittedTimes(
      { everyUnit: 'minutely', every: 30, start: '2026-01-01T00:00:00', timezone: 'Europe/Tallinn' },
      excluded,
      'skip',
    );
    const found: string[] = [];
    for (let next = Date.parse(from); found.length < count; ) {
      next = admitted.nextAfter(next) ?? Number.POSITIVE_INFINITY;
      found.push(iso(next));
    }
    return found;
  };
  // 02:30 is excluded; the clocks go from 03:00 to 04:00, which is 01:00 UTC.
  t.same(hourly(['02:00-03:30'], '2026-03-28T23:30:00Z', 2), ['2026-03-29T01:00:00', '2026-03-29T01:30:00']);
  // From 04:00 back to 03:00: the window begins a second time.
  t.same(hourly(['03:30-04:00'], '2026-10-25T00:00:00Z', 2), ['2026-10-25T01:00:00', '2026-10-25T02:00:00']);
});

function randomFields(random: Random, among: typeof recurrences): RecurrenceFields {
  return {
    ...random.pick(among),
    start: `2025-0${random.whole(1, 9)}-1${random.whole(0, 9)}T${random.pick(['00:00', '02:30', '09:00', '10:00', '23:30'])}:00`,
    timezone: random.pick(zones),
  };
}
