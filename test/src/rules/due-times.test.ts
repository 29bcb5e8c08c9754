import t from 'tap';
import { Recurrence, type RecurrenceFields } from '../../../src/recurrence/recurrence.js';
import { DueTimes } from '../../../src/rules/due-times.js';
import { type Policies, withDefaults } from '../../../src/rules/policies.js';
import { Random } from '../../support/random.js';

const dayMs = 86_400_000;
const tallinn = { everyUnit: 'daily', start: '2026-01-01T10:00:00', timezone: 'Europe/Tallinn' } as const;

function dueTimes(fields: RecurrenceFields, policies: Partial<Policies> = {}, seed = 1): DueTimes {
  return new DueTimes({
    recurrence: Recurrence.from(fields),
    policies: { ...withDefaults({}), ...policies },
    seed,
  });
}

function notes(due: DueTimes, from: string, to: string): string[] {
  return due
    .skippedOrMovedBetween(Date.parse(from), Date.parse(to))
    .map(({ reason, dueAt, dueUntil, times, detail }) => {
      const [first, last] = [dueAt, dueUntil].map((at) => (at === null ? null : iso(at)));
      return `${reason} ${first}${last === null ? '' : ` to ${last}, ${times} times`}: ${detail}`;
    });
}

function table(due: DueTimes, from: string, most: number): unknown[][] {
  return due
    .timetable(new Date(from), most)
    .map(({ at, wall, note, excludedBy, times }) => [
      at === null ? null : iso(at.getTime()),
      wall,
      note,
      excludedBy,
      times,
    ]);
}

const iso = (instant: number) => new Date(instant).toISOString().slice(0, 19);

t.test('without policies the due times are those of the recurrence', async (t) => {
  const recurrence = Recurrence.from(tallinn);
  let at = new Date('2026-03-01T00:00:00Z');
  for (let i = 0; i < 60; i++) {
    const next = dueTimes(tallinn).nextAfter(at);
    t.same(next, recurrence.nextAfter(at));
    at = next ?? at;
  }
  t.same(notes(dueTimes(tallinn), '2026-01-01T00:00:00Z', '2026-12-01T00:00:00Z'), []);
});

t.test('exclusions that were written into the database by hand and are none are told', async (t) => {
  t.throws(() => dueTimes(tallinn, { excluded: ['someday'] }), {
    code: 'LINOD_ERR_INVALID_RECURRENCE',
    message: /expected excluded to be a list of weekdays .* got: \["someday"\]/,
  });
});

t.test('excluded days are told to the ledger, the neighbouring ones together', async (t) => {
  const due = dueTimes({ ...tallinn, everyUnit: 'hourly' }, { excluded: ['sat', '12-06'] });
  // From Friday, 23:00 in Tallinn.
  t.same(notes(due, '2026-12-04T21:00:00Z', '2026-12-06T22:00:00Z'), [
    'skipped 2026-12-04T22:00:00 to 2026-12-05T21:00:00, 24 times: excluded by sat',
    'skipped 2026-12-05T22:00:00 to 2026-12-06T21:00:00, 24 times: excluded by 12-06',
  ]);
  t.same(notes(due, '2026-12-02T08:00:00Z', '2026-12-02T09:00:00Z'), []);
});

t.test(
  'what is put off is told with where it comes from; what comes to nothing, with what comes instead',
  async (t) => {
    const weekly = { ...tallinn, everyUnit: 'weekly', weekdays: ['friday', 'saturday'] } as const;
    const policies = { excluded: ['sat', 'sun'], onExcluded: 'postpone' } as const;
    t.same(notes(dueTimes(weekly, policies), '2026-12-04T08:00:00Z', '2026-12-07T08:00:00Z'), [
      'moved 2026-12-07T08:00:00: from 2026-12-05T10:00:00+02:00: excluded by sat',
    ]);
    t.same(notes(dueTimes(tallinn, policies), '2026-12-04T08:00:00Z', '2026-12-07T08:00:00Z'), [
      'skipped 2026-12-05T08:00:00: excluded by sat; it is due at 2026-12-07T10:00:00+02:00 all the same',
      'skipped 2026-12-06T08:00:00: excluded by sun; it is due at 2026-12-07T10:00:00+02:00 all the same',
    ]);
  },
);

t.test('two times that are put off to the same instant are one', async (t) => {
  const cron = { ...tallinn, everyUnit: 'cron', cron: '0 10 * * sat,sun' } as const;
  const due = dueTimes(cron, { excluded: ['sat', 'sun'], onExcluded: 'postpone' });
  t.same(due.nextAfter(new Date('2026-12-04T08:00:00Z')), new Date('2026-12-07T08:00:00Z'));
  t.same(notes(due, '2026-12-01T08:00:00Z', '2026-12-07T08:00:00Z'), [
    'moved 2026-12-07T08:00:00: from 2026-12-05T10:00:00+02:00: excluded by sat',
    'skipped 2026-12-06T08:00:00: excluded by sun; it is due at 2026-12-07T10:00:00+02:00 all the same',
  ]);
  t.same(table(due, '2026-12-04T08:00:00Z', 3), [
    [null, '2026-12-06T10:00:00', null, 'sun', 1],
    ['2026-12-07T08:00:00', '2026-12-05T10:00:00', null, 'sat', 1],
    [null, '2026-12-13T10:00:00', null, 'sun', 1],
  ]);
});

t.test('clock changes are told to the ledger, with each choice', async (t) => {
  // Tallinn: 03:00 becomes 04:00 on 29 March 2026, 04:00 becomes 03:00 on 25 October.
  const at = { ...tallinn, start: '2026-01-01T03:30:00' };
  const spring = (missingTime: 'shifted' | 'skipped' | 'at-jump') =>
    notes(dueTimes({ ...at, missingTime }), '2026-03-28T01:30:00Z', '2026-03-30T00:30:00Z');
  t.same(spring('shifted'), ['moved 2026-03-29T01:30:00: the clocks skip 2026-03-29T03:30:00']);
  t.same(spring('at-jump'), ['moved 2026-03-29T01:00:00: the clocks skip 2026-03-29T03:30:00']);
  t.same(spring('skipped'), ['skipped 2026-03-29T01:00:00: the clocks skip 2026-03-29T03:30:00']);
  const autumn = (repeatedTime: 'first' | 'second' | 'both') =>
    notes(dueTimes({ ...at, repeatedTime }), '2026-10-24T00:30:00Z', '2026-10-26T01:30:00Z');
  const twice = 'the clocks show 2026-10-25T03:30:00 twice, and it is due the';
  t.same(autumn('first'), [`skipped 2026-10-25T01:30:00: ${twice} first time`]);
  t.same(autumn('second'), [`skipped 2026-10-25T00:30:00: ${twice} second time`]);
  t.same(autumn('both'), []);
});

t.test('of all times between two due times each is told once, wherever they are parted', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const rules: ReadonlyArray<readonly [RecurrenceFields, Partial<Policies>]> = [
    [{ ...tallinn, start: '2026-01-01T03:30:00' }, {}],
    [{ ...tallinn, start: '2026-01-01T03:30:00', repeatedTime: 'second', missingTime: 'skipped' }, {}],
    [
      { ...tallinn, start: '2026-01-01T03:30:00' },
      { excluded: ['sat', 'mon'], onExcluded: 'postpone' },
    ],
    [
      { ...tallinn, everyUnit: 'cron', cron: '0 3,10 * * *' },
      { excluded: ['sun'], jitterSeconds: 5000 },
    ],
    [{ ...tallinn, everyUnit: 'minutely', every: 50 }, { excluded: ['03:00-05:00'] }],
  ];
  for (const [fields, policies] of rules) {
    const due = dueTimes(fields, policies);
    for (const [from, to] of [
      [Date.UTC(2026, 2, 24), Date.UTC(2026, 3, 2)],
      [Date.UTC(2026, 9, 20), Date.UTC(2026, 9, 29)],
    ] as const) {
      const all = due.skippedOrMovedBetween(from, to);
      const parts: typeof all = [];
      for (let at = from; at < to; ) {
        const next = Math.min(to, due.nextAfter(new Date(at + random.whole(0, dayMs)))?.getTime() ?? to);
        parts.push(...due.skippedOrMovedBetween(at, next));
        at = next;
      }
      const count = (entries: typeof all) => entries.reduce((sum, { times }) => sum + times, 0);
      t.ok(all.length > 0);
      t.equal(count(parts), count(all), JSON.stringify({ fields, policies, parts, all }));
    }
  }
});

t.test('a rule that was off for years tells what fits, and that there was more', async (t) => {
  const due = dueTimes({ ...tallinn, everyUnit: 'hourly' }, { excluded: ['sat', '12:00-13:00'] });
  const told = due.skippedOrMovedBetween(Date.UTC(2020, 0, 1), Date.UTC(2026, 11, 1));
  t.ok(told.length <= 102, `${told.length} entries`);
  t.match(told.at(-1), {
    reason: 'skipped',
    dueUntil: Date.UTC(2026, 11, 1),
    detail: /not listed one by one/,
  });
});

t.test(
  'the table tells of each due time what was made of it, in the order in which they are due',
  async (t) => {
    const due = dueTimes(tallinn, { excluded: ['sat', '12-24..12-25'] });
    t.same(table(due, '2026-12-24T00:00:00Z', 3), [
      [null, '2026-12-24T10:00:00', null, '12-24..12-25', 2],
      [null, '2026-12-26T10:00:00', null, 'sat', 1],
      ['2026-12-27T08:00:00', '2026-12-27T10:00:00', null, null, 1],
    ]);
    const often = dueTimes({ ...tallinn, everyUnit: 'secondly', every: 600 }, { excluded: ['09:00-10:30'] });
    t.same(table(often, '2026-12-24T06:45:00Z', 3), [
      ['2026-12-24T06:50:00', '2026-12-24T08:50:00', null, null, 1],
      [null, '2026-12-24T09:00:00', null, '09:00-10:30', 9],
      ['2026-12-24T08:30:00', '2026-12-24T10:30:00', null, null, 1],
    ]);
  },
);

t.test('the table has the due times, all of them, with any policies', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const kinds: ReadonlyArray<Partial<RecurrenceFields>> = [
    { everyUnit: 'daily' },
    { everyUnit: 'weekly', weekdays: ['saturday', 'wednesday'] },
    { everyUnit: 'hourly', every: 5 },
    { everyUnit: 'cron', cron: '15,45 2,3,9,23 * * *' },
    { everyUnit: 'cron', cron: '*/20 * * * *' },
  ];
  for (let i = 0; i < 60; i++) {
    const fields = { ...tallinn, start: '2026-01-01T03:30:00', ...random.pick(kinds) };
    const policies = {
      excluded: random.pick([
        [],
        ['sat'],
        ['sat-sun', '22:00-04:00'],
        ['03:00-09:30'],
        ['03-20..04-02', 'wed'],
      ]),
      onExcluded: random.pick(['skip', 'postpone'] as const),
      jitterSeconds: random.pick([0, 0, 90, 4000]),
    };
    const due = dueTimes(fields, policies, i + 1);
    const after = Date.UTC(2026, random.pick([2, 9]), random.whole(15, 31), random.whole(0, 23));
    const listed = due
      .timetable(new Date(after), 80)
      .flatMap(({ at }) => (at === null ? [] : [at.getTime()]));
    const found: number[] = [];
    for (let at = after; found.length < listed.length; found.push(at))
      at = due.nextAfter(new Date(at))?.getTime() ?? Number.POSITIVE_INFINITY;
    t.same(listed, found, JSON.stringify({ fields, policies, after: new Date(after) }));
  }
});

t.test('jitter is found again in the due time', async (t) => {
  const due = dueTimes(tallinn, { jitterSeconds: 3600 }, 3);
  const at = due.nextAfter(new Date('2026-12-24T00:00:00Z'))?.getTime() ?? 0;
  t.equal(due.jitterOf(at), at - Date.UTC(2026, 11, 24, 8));
  t.ok(due.jitterOf(at) > 0);
  t.match(due.timetable(new Date('2026-12-24T00:00:00Z'), 1), [
    { jitterMs: due.jitterOf(at), at: new Date(at) },
  ]);
  t.equal(dueTimes(tallinn).jitterOf(at), 0);
  const postponing = dueTimes(tallinn, { jitterSeconds: 3600, excluded: ['thu'], onExcluded: 'postpone' }, 3);
  const friday = postponing.nextAfter(new Date('2026-12-24T00:00:00Z'));
  t.match(postponing.timetable(new Date('2026-12-24T00:00:00Z'), 1), [{ at: null, instead: friday }]);
});
