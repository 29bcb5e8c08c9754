import { readFileSync } from 'node:fs';
import { DateTime } from 'luxon';
import t from 'tap';
import {
  type EveryUnit,
  Recurrence,
  type RecurrenceFields,
  type Weekday,
} from '../../../src/recurrence/recurrence.js';
import { cases, Random } from '../../support/random.js';

interface Vector {
  readonly id: string;
  readonly rule: {
    readonly every_unit: EveryUnit;
    readonly every: number;
    readonly weekdays: readonly Weekday[];
    readonly positions: readonly number[];
    readonly start: string;
    readonly timezone: string;
    readonly until: string | null;
    readonly count: number | null;
  };
  readonly after: string;
  readonly next: readonly string[];
}

const weekdays: readonly Weekday[] = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
];
const zones = [
  'UTC',
  'Europe/Tallinn',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'Pacific/Apia',
];
const unitMs = { secondly: 1000, minutely: 60_000, hourly: 3_600_000 };
const elapsedUnits = ['secondly', 'minutely', 'hourly'] as const;
const calendarUnits = ['daily', 'weekly', 'monthly', 'yearly'] as const;
const dayMs = 86_400_000;

t.test('the vectors', async (t) => {
  const file = new URL('../../vectors/recurrence.json', import.meta.url);
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vector[];
  t.comment(`${vectors.length} vectors`);
  t.equal(vectors.length, 2050);
  for (const unit of [...elapsedUnits, ...calendarUnits]) {
    const ofUnit = vectors.filter((vector) => vector.rule.every_unit === unit);
    await t.test(`${ofUnit.length} rules have the due times of the vectors: ${unit}`, async (t) => {
      for (const { id, rule, after, next } of ofUnit) {
        const { every_unit: everyUnit, ...fields } = rule;
        t.same(due(Recurrence.from({ everyUnit, ...fields }), after, 5), next, id);
      }
    });
  }
});

t.test('random rules', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);

  await t.test('the next time is strictly later, and the same from any instant before it', async (t) => {
    for (let i = 0; i < cases(150); i++) {
      const fields = randomFields(random);
      const recurrence = Recurrence.from(fields);
      let after = Date.parse(`${fields.start}Z`) + random.whole(-3 * dayMs, 900 * dayMs);
      for (let step = 0; step < 4; step++) {
        const next = recurrence.nextAfter(new Date(after))?.getTime();
        if (next === undefined) break;
        const between = new Date(random.whole(after, next - 1));
        if (next <= after || recurrence.nextAfter(between)?.getTime() !== next) {
          t.fail(
            `${JSON.stringify(fields)}: from ${iso(after)} ${iso(next)}, from ${between.toISOString()} not`,
          );
        }
        after = next;
      }
    }
    t.pass('600 rules');
  });

  await t.test(
    'a rule of elapsed time that began whole periods earlier has the same due times',
    async (t) => {
      for (let i = 0; i < cases(75); i++) {
        const everyUnit = random.pick(elapsedUnits);
        const fields = { ...randomFields(random, everyUnit), timezone: 'UTC', count: null, until: null };
        const period = (fields.every ?? 1) * unitMs[everyUnit];
        const start = Date.parse(`${fields.start}Z`);
        const periods = random.whole(1, Math.ceil((40 * 365 * dayMs) / period));
        const older = { ...fields, start: wall(start - periods * period) };
        const after = iso(start + random.whole(0, 400 * dayMs));
        t.same(
          due(Recurrence.from(older), after, 3),
          due(Recurrence.from(fields), after, 3),
          JSON.stringify(older),
        );
      }
    },
  );

  await t.test('a rule of elapsed time agrees with stepping through it', async (t) => {
    for (let i = 0; i < cases(75); i++) {
      const everyUnit = random.pick(elapsedUnits);
      const period = random.pick([1, 7, 25, 47, 100, 167, 168, 169, 336]) * 3_600_000;
      const fields: RecurrenceFields = {
        ...randomFields(random, everyUnit),
        every: period / unitMs[everyUnit],
        until: null,
        count: random.chance(0.4) ? random.whole(1, 60) : null,
      };
      const after = firstInstant(fields) + random.whole(-5 * dayMs, 200 * dayMs);
      t.same(
        due(Recurrence.from(fields), iso(after), 3),
        stepThrough(fields, period, after, 3),
        JSON.stringify({ ...fields, after: iso(after) }),
      );
    }
  });

  await t.test('a calendar rule in UTC agrees with stepping through the days', async (t) => {
    for (let i = 0; i < cases(100); i++) {
      const fields = { ...randomFields(random, random.pick(calendarUnits)), timezone: 'UTC' };
      const after = Date.parse(`${fields.start}Z`) + random.whole(-10 * dayMs, 3000 * dayMs);
      const horizon = iso(after + horizonMs);
      t.same(
        due(Recurrence.from(fields), iso(after), 3).filter((time) => time <= horizon),
        stepThroughDays(fields, after, 3),
        JSON.stringify({ ...fields, after: iso(after) }),
      );
    }
  });
});

t.test('no search blocks the event loop for long', async (t) => {
  const start = '2024-01-01T12:00:00';
  for (const fields of [
    { everyUnit: 'monthly', weekdays: ['monday'], positions: [6] },
    {
      everyUnit: 'monthly',
      weekdays: [...weekdays],
      positions: [31],
      every: 12,
      start: '2024-02-01T12:00:00',
    },
    { everyUnit: 'yearly', weekdays: ['monday'], positions: [60] },
    { everyUnit: 'daily', every: 7, weekdays: ['tuesday'] },
    { everyUnit: 'secondly', every: 604_800, weekdays: ['tuesday'] },
    { everyUnit: 'cron', cron: '0 0 29 2 mon#5' },
    { everyUnit: 'cron', cron: '0 0 31 2 mon' },
    { everyUnit: 'yearly', every: 100, start: '2000-02-29T12:00:00' },
    { everyUnit: 'weekly', weekdays: [...weekdays], count: 10_000 },
  ] as const) {
    const recurrence = Recurrence.from({ start, ...fields });
    const began = process.cpuUsage();
    recurrence.nextAfter(new Date('2030-01-01T00:00:00Z'));
    const { user, system } = process.cpuUsage(began);
    // Generous, for a slow or busy machine.
    t.ok(user + system < 500_000, `${JSON.stringify(fields)}: ${user + system} µs`);
  }
});

t.test('rules that are due seldom or never', async (t) => {
  await t.test('the fifth Thursday of February comes after forty years', async (t) => {
    const rule = Recurrence.from({
      everyUnit: 'monthly',
      every: 12,
      weekdays: ['thursday'],
      positions: [5],
      start: '2052-02-01T09:00',
    });
    t.same(due(rule, '2080-03-01T00:00:00Z', 2), ['2120-02-29T09:00:00Z', '2148-02-29T09:00:00Z']);
  });

  await t.test('every 168 hours is on a Monday in summer time only', async (t) => {
    const rule = Recurrence.from({
      everyUnit: 'hourly',
      every: 168,
      weekdays: ['monday'],
      start: '2024-01-07T23:30:00',
      timezone: 'Europe/Tallinn',
    });
    t.same(due(rule, '2024-01-08T00:00:00Z', 1), ['2024-03-31T21:30:00Z']);
    t.same(due(rule, '2024-10-21T00:00:00Z', 1), ['2025-03-30T21:30:00Z']);
  });

  for (const [why, fields] of [
    ['a month has no sixth Monday', { everyUnit: 'monthly', weekdays: ['monday'], positions: [6] }],
    ['a year has no 60th Monday', { everyUnit: 'yearly', weekdays: ['monday'], positions: [60, -60] }],
    ['seven days after a Monday is no Tuesday', { everyUnit: 'daily', every: 7, weekdays: ['tuesday'] }],
    ['nor is it by the second', { everyUnit: 'secondly', every: 604_800, weekdays: ['tuesday'] }],
  ] as const) {
    await t.test(`never: ${why}`, async (t) => {
      for (const timezone of zones) {
        const fieldsThere = { ...fields, start: '2024-01-01T12:00:00', timezone };
        t.equal(Recurrence.from(fieldsThere).nextAfter(new Date('2024-01-01T14:00:00Z')), null, timezone);
        t.equal(
          Recurrence.from({ ...fieldsThere, count: 1 }).nextAfter(new Date('1999-01-01T00:00:00Z')),
          null,
        );
      }
    });
  }

  await t.test('nothing is due after the year 9999', async (t) => {
    for (const everyUnit of [...elapsedUnits, ...calendarUnits]) {
      const rule = Recurrence.from({ everyUnit, start: '2024-01-01T00:00:00', timezone: 'Europe/Tallinn' });
      t.equal(rule.nextAfter(new Date('9999-12-31T23:59:59Z')), null, everyUnit);
      t.equal(rule.nextAfter(new Date(8.64e15)), null, everyUnit);
      t.not(rule.nextAfter(new Date(-8.64e15)), null, everyUnit);
      const rare = Recurrence.from({
        everyUnit,
        every: Number.MAX_SAFE_INTEGER,
        start: '2024-01-01T00:00:00',
      });
      t.equal(rare.nextAfter(new Date('2024-01-01T00:00:00Z')), null, everyUnit);
    }
  });

  await t.test('two positions of the same day are due, and counted, once', async (t) => {
    const rule = Recurrence.from({
      everyUnit: 'monthly',
      weekdays: ['monday'],
      positions: [1, -4],
      start: '2021-02-01T09:00:00',
      count: 3,
    });
    const expected = ['2021-02-01T09:00:00Z', '2021-03-01T09:00:00Z', '2021-03-08T09:00:00Z'];
    t.same(due(rule, '2021-01-01T00:00:00Z', 9), expected);
  });

  await t.test('a long count ends at the right time, and one that is too long is refused', async (t) => {
    const often = Recurrence.from({ everyUnit: 'secondly', start: '2000-01-01T00:00:00', count: 1e9 });
    t.same(due(often, '2031-09-09T01:46:37Z', 5), ['2031-09-09T01:46:38Z', '2031-09-09T01:46:39Z']);
    const daily = { everyUnit: 'daily', start: '2000-01-01T00:00:00' } as const;
    t.same(due(Recurrence.from({ ...daily, count: 10_000 }), '2027-05-17T00:00:00Z', 5), [
      '2027-05-18T00:00:00Z',
    ]);
    t.throws(() => Recurrence.from({ ...daily, count: 10_001 }), {
      message: 'expected count to be at most 10000 where everyUnit is daily, got: 10001',
    });
  });
});

// Tallinn 2024: the clocks go forward on 31 March, 03:00 becomes 04:00 (01:00 UTC), and back on 27 October, 04:00
// becomes 03:00 (01:00 UTC). Apia skipped 30 December 2011.
t.test('choices at clock changes', async (t) => {
  const spring = { everyUnit: 'daily', start: '2024-03-30T03:30:00', timezone: 'Europe/Tallinn' } as const;
  const autumn = { everyUnit: 'daily', start: '2024-10-26T03:30:00', timezone: 'Europe/Tallinn' } as const;
  const apia = { everyUnit: 'daily', start: '2011-12-29T10:00:00', timezone: 'Pacific/Apia' } as const;
  const dueAll = (fields: RecurrenceFields, n: number) =>
    due(Recurrence.from(fields), '2000-01-01T00:00:00Z', n);

  await t.test('a missing time is shifted by default', async (t) => {
    const expected = ['2024-03-30T01:30:00Z', '2024-03-31T01:30:00Z', '2024-04-01T00:30:00Z'];
    t.same(dueAll(spring, 3), expected);
    t.same(dueAll({ ...spring, missingTime: 'shifted' }, 3), expected);
  });

  await t.test('a missing time is skipped, but counted', async (t) => {
    const expected = ['2024-03-30T01:30:00Z', '2024-04-01T00:30:00Z'];
    t.same(dueAll({ ...spring, missingTime: 'skipped' }, 2), expected);
    t.same(dueAll({ ...spring, missingTime: 'skipped', count: 3 }, 9), expected);
  });

  await t.test('a missing time is due at the jump', async (t) => {
    const atJump = { ...spring, missingTime: 'at-jump' } as const;
    t.same(dueAll(atJump, 3), ['2024-03-30T01:30:00Z', '2024-03-31T01:00:00Z', '2024-04-01T00:30:00Z']);
    t.same(due(Recurrence.from(atJump), '2024-03-31T01:00:00Z', 1), ['2024-04-01T00:30:00Z']);
  });

  await t.test('a repeated time is due the first time by default', async (t) => {
    const expected = ['2024-10-26T00:30:00Z', '2024-10-27T00:30:00Z', '2024-10-28T01:30:00Z'];
    t.same(dueAll(autumn, 3), expected);
    t.same(dueAll({ ...autumn, repeatedTime: 'first' }, 3), expected);
  });

  await t.test('a repeated time is due the second time', async (t) => {
    const second = { ...autumn, repeatedTime: 'second' } as const;
    t.same(dueAll(second, 3), ['2024-10-26T00:30:00Z', '2024-10-27T01:30:00Z', '2024-10-28T01:30:00Z']);
    t.same(
      due(Recurrence.from(second), '2024-10-27T00:45:00Z', 1),
      ['2024-10-27T01:30:00Z'],
      'from between the two',
    );
  });

  await t.test('a repeated time is due both times and counted once', async (t) => {
    const both = { ...autumn, repeatedTime: 'both', count: 3 } as const;
    t.same(dueAll(both, 9), [
      '2024-10-26T00:30:00Z',
      '2024-10-27T00:30:00Z',
      '2024-10-27T01:30:00Z',
      '2024-10-28T01:30:00Z',
    ]);
  });

  await t.test('a missing day', async (t) => {
    const start = '2011-12-29T20:00:00Z';
    const end = '2011-12-30T20:00:00Z';
    t.same(dueAll(apia, 3), [start, end, '2011-12-31T20:00:00Z'], 'shifted onto the next and merged');
    t.same(dueAll({ ...apia, missingTime: 'skipped' }, 3), [start, end, '2011-12-31T20:00:00Z'], 'skipped');
    t.same(
      dueAll({ ...apia, missingTime: 'at-jump' }, 3),
      [start, '2011-12-30T10:00:00Z', end],
      'due at the jump',
    );
  });

  await t.test('elapsed time ignores the choices', async (t) => {
    const hourly = {
      everyUnit: 'hourly',
      start: '2024-10-27T03:30:00',
      timezone: 'Europe/Tallinn',
      repeatedTime: 'second',
    } as const;
    t.same(dueAll(hourly, 2), ['2024-10-27T00:30:00Z', '2024-10-27T01:30:00Z']);
  });
});

t.test('fields', async (t) => {
  await t.test('defaults are filled in and values are normalised', async (t) => {
    const { fields } = Recurrence.from({
      everyUnit: 'weekly',
      weekdays: ['friday', 'monday', 'friday'],
      start: '2024-01-03T10:00',
    });
    t.same(fields, {
      everyUnit: 'weekly',
      every: 1,
      weekdays: ['monday', 'friday'],
      positions: [],
      cron: null,
      start: '2024-01-03T10:00:00',
      timezone: 'UTC',
      until: null,
      count: null,
      missingTime: 'shifted',
      repeatedTime: 'first',
    });
    t.ok(Object.isFrozen(fields));
    t.same(Recurrence.from(fields).fields, fields, 'fields make the same recurrence again');
  });

  await t.test('the short form is that of the original', async (t) => {
    t.equal(`${Recurrence.from({ everyUnit: 'daily', start: '2024-01-03T10:00' })}`, 'every 1 daily');
    t.equal(
      `${Recurrence.from({ everyUnit: 'secondly', every: 300, start: '2024-01-03T10:00' })}`,
      'every 300 secondly',
    );
  });

  await t.test('unknown fields are ignored', async (t) => {
    const rule = { id: 3, text: 'nightly', everyUnit: 'daily', start: '2024-01-03T10:00:00' } as const;
    t.equal(`${Recurrence.from(rule)}`, 'every 1 daily');
  });

  const good = { everyUnit: 'monthly', start: '2024-01-03T10:00:00' };
  for (const [given, message] of [
    [
      { everyUnit: 'dayly' },
      /^expected everyUnit to be one of secondly, .*, yearly, easterly, cron, got: "dayly", did you mean "daily"\?$/,
    ],
    [{ everyUnit: undefined }, /^expected everyUnit to be one of .*, got: undefined$/],
    [{ every: 0 }, /^expected every to be a positive whole number, got: 0$/],
    [{ every: 1.5 }, /^expected every to be .*, got: 1.5$/],
    [{ every: '2' }, /^expected every to be .*, got: "2"$/],
    [{ weekdays: 'monday' }, /^expected weekdays to be a list, got: "monday"$/],
    [
      { weekdays: ['monday', 'wensday'] },
      /^expected weekdays\[1\] to be one of monday, .*, got: "wensday", did you mean "wednesday"\?$/,
    ],
    [{ positions: [1] }, /^expected positions to be empty where there are no weekdays to count, got: \[1\]$/],
    [
      { weekdays: ['monday'], positions: [0] },
      /^expected positions\[0\] to be a whole number from 1 to 366 or from -1 to -366, got: 0$/,
    ],
    [{ weekdays: ['monday'], positions: [367] }, /^expected positions\[0\] to be/],
    [
      { everyUnit: 'weekly', weekdays: ['monday'], positions: [1] },
      /^expected positions to be empty where everyUnit is weekly, got: \[1\]$/,
    ],
    [
      { start: '2024-02-30T10:00:00' },
      /^expected start to be a date of the calendar and a time .*, got: "2024-02-30T10:00:00"$/,
    ],
    [{ start: '2024-01-03T24:00:00' }, /^expected start to be/],
    [{ start: '2024-01-03T10:00:00Z' }, /^expected start to be a date .* without a zone/],
    [{ start: undefined }, /^expected start to be .*, got: undefined$/],
    [{ until: 'tomorrow' }, /^expected until to be/],
    [{ count: 0 }, /^expected count to be a positive whole number, got: 0$/],
    [
      { timezone: 'Europe/Talinn' },
      /^expected timezone to be the IANA name of a time zone, .*, got: "Europe\/Talinn", did you mean "Europe\/Tallinn"\?$/,
    ],
    [{ timezone: '+02:00' }, /^expected timezone to be/],
    [{ timezone: '' }, /^expected timezone to be/],
    [{ missingTime: 'shift' }, /^expected missingTime to be one of shifted, skipped, at-jump, got: "shift"/],
    [{ repeatedTime: 'last' }, /^expected repeatedTime to be one of first, second, both, got: "last"/],
    [{ time_zone: 'Europe/Tallinn' }, /^expected time_zone to be written timezone, got: "time_zone"$/],
    [{ weekday: ['monday'] }, /^expected weekday to be written weekdays/],
  ] as const) {
    await t.test(`refused: ${JSON.stringify(given)}`, async (t) => {
      const fields = { ...good, ...given } as unknown as RecurrenceFields;
      t.throws(() => Recurrence.from(fields), { code: 'LINOD_ERR_INVALID_RECURRENCE', message });
    });
  }

  await t.test('an invalid date is refused', async (t) => {
    const rule = Recurrence.from({ everyUnit: 'daily', start: '2024-01-03T10:00:00' });
    t.throws(() => rule.nextAfter(new Date('yesterday')), TypeError);
  });
});

/** The next `n` due times, or all of them if there are fewer, in the format of the vectors. */
function due(recurrence: Recurrence, after: string, n: number): string[] {
  const times: string[] = [];
  let instant = recurrence.nextAfter(new Date(after));
  while (instant !== null && times.length < n) {
    times.push(iso(instant.getTime()));
    instant = recurrence.nextAfter(instant);
  }
  return times;
}

function iso(instant: number): string {
  return new Date(instant).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function wall(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19);
}

function randomFields(random: Random, unit?: EveryUnit): RecurrenceFields {
  const everyUnit = unit ?? random.pick([...elapsedUnits, ...calendarUnits]);
  const start = Date.UTC(random.whole(1990, 2026), random.whole(0, 11), random.whole(1, 31), 0, 0, 0);
  const days = random.chance(0.5) ? random.some(weekdays) : [];
  const hasPositions = (everyUnit === 'monthly' || everyUnit === 'yearly') && days.length > 0;
  return {
    everyUnit,
    every: random.pick([1, 1, 2, 3, random.whole(1, 60)]),
    weekdays: days,
    positions: hasPositions && random.chance(0.6) ? [random.pick([-53, -9, -5, -2, -1, 1, 2, 3, 5, 8])] : [],
    start: wall(start + random.whole(0, 24 * 60 - 1) * 60_000),
    timezone: random.pick(zones),
    until: random.chance(0.2) ? wall(start + random.whole(0, 1500) * dayMs) : null,
    count: random.chance(0.3) ? random.whole(1, 300) : null,
    missingTime: random.pick(['shifted', 'skipped', 'at-jump']),
    repeatedTime: random.pick(['first', 'second', 'both']),
  };
}

/** As the rules do, luxon uses the offset from before for a missing time, and the first of a repeated one. */
function firstInstant(fields: RecurrenceFields): number {
  const start = DateTime.fromISO(fields.start, { zone: fields.timezone ?? 'UTC' });
  // luxon returns either instant of a repeated time; the rules want the first.
  return Math.min(...start.getPossibleOffsets().map((time) => time.toMillis()));
}

/** A reference for rules of elapsed time: steps through them, with weekdays from luxon. */
function stepThrough(fields: RecurrenceFields, periodMs: number, after: number, n: number): string[] {
  const found: string[] = [];
  // Long enough for zones that change their date: in Samoa weekly rules moved to another weekday at the end of 2011.
  const horizon = Math.max(after, firstInstant(fields)) + 40 * 366 * dayMs;
  let counted = 0;
  for (let instant = firstInstant(fields); found.length < n; instant += periodMs) {
    if (counted === fields.count || instant > horizon) break;
    if (!isOnWeekday(instant, fields)) continue;
    counted++;
    if (instant > after) found.push(iso(instant));
  }
  return found;
}

function isOnWeekday(instant: number, fields: RecurrenceFields): boolean {
  if (fields.weekdays === undefined || fields.weekdays.length === 0) return true;
  const { weekday } = DateTime.fromMillis(instant, { zone: fields.timezone ?? 'UTC' });
  return fields.weekdays.some((name) => weekdays.indexOf(name) === weekday - 1);
}

/** A reference for calendar rules in UTC: day by day, up to twelve years after `after`. */
function stepThroughDays(fields: RecurrenceFields, after: number, n: number): string[] {
  const start = Date.parse(`${fields.start}Z`);
  const until = fields.until == null ? Number.POSITIVE_INFINITY : Date.parse(`${fields.until}Z`);
  const found: string[] = [];
  let counted = 0;
  for (let at = start; at <= Math.min(until, after + horizonMs); at += dayMs) {
    if (found.length === n || counted === fields.count) break;
    if (!isCounted(fields, start, at) || !isMeant(fields, start, at)) continue;
    counted++;
    if (at > after) found.push(iso(at));
  }
  return found;
}

const horizonMs = 12 * 366 * dayMs;

/** Whether a day lies in a period that the rule counts. */
function isCounted({ everyUnit, every = 1 }: RecurrenceFields, start: number, at: number): boolean {
  const [a, b] = [new Date(start), new Date(at)];
  const years = b.getUTCFullYear() - a.getUTCFullYear();
  if (everyUnit === 'yearly') return years % every === 0;
  if (everyUnit === 'monthly') return (years * 12 + b.getUTCMonth() - a.getUTCMonth()) % every === 0;
  const days = Math.round((at - start) / dayMs);
  if (everyUnit === 'daily') return days % every === 0;
  return Math.floor((days + ((a.getUTCDay() + 6) % 7)) / 7) % every === 0;
}

/** Whether a rule includes a day of a counted period. */
function isMeant(fields: RecurrenceFields, start: number, at: number): boolean {
  const { everyUnit, weekdays: names = [], positions = [] } = fields;
  const [a, b] = [new Date(start), new Date(at)];
  const isAmong = (day: number) =>
    names.some((name) => weekdays.indexOf(name) === (new Date(day).getUTCDay() + 6) % 7);
  if (names.length === 0) {
    if (everyUnit === 'daily') return true;
    if (everyUnit === 'weekly') return a.getUTCDay() === b.getUTCDay();
    const isMonth = everyUnit === 'monthly' || a.getUTCMonth() === b.getUTCMonth();
    return isMonth && a.getUTCDate() === b.getUTCDate();
  }
  if (!isAmong(at) || positions.length === 0) return isAmong(at);
  const isInPeriod = (day: number) =>
    new Date(day).getUTCFullYear() === b.getUTCFullYear() &&
    (everyUnit === 'yearly' || new Date(day).getUTCMonth() === b.getUTCMonth());
  let [before, behind] = [0, 0];
  for (let day = at - dayMs; isInPeriod(day); day -= dayMs) if (isAmong(day)) before++;
  for (let day = at + dayMs; isInPeriod(day); day += dayMs) if (isAmong(day)) behind++;
  return positions.includes(before + 1) || positions.includes(-behind - 1);
}
