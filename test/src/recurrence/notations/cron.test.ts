import t from 'tap';
import { numbersOf, parseCron } from '../../../../src/recurrence/notations/cron.js';
import { Recurrence } from '../../../../src/recurrence/recurrence.js';
import { cases, Random } from '../../../support/random.js';

const minuteMs = 60_000;
const dayMs = 86_400_000;
const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

t.test('cron expressions have the expected due times', async (t) => {
  for (const [cron, start, ...expected] of [
    ['0 4 * * mon-fri', '2026-11-27T05:00', '2026-11-30T04:00', '2026-12-01T04:00'],
    ['*/15 8-9 * * *', '2026-11-24T08:40', '2026-11-24T08:45', '2026-11-24T09:00', '2026-11-24T09:15'],
    ['10/20 0 * * *', '2026-11-24T00:00', '2026-11-24T00:10', '2026-11-24T00:30', '2026-11-24T00:50'],
    [
      '*/10,7,56-58 1 * * *',
      '2026-11-24T01:00',
      ...[0, 7, 10, 20, 30, 40, 50, 56, 57, 58].map((m) => `2026-11-24T01:${String(m).padStart(2, '0')}`),
      '2026-11-25T01:00',
    ],
    ['0 0/12 * * *', '2026-11-24T00:00', '2026-11-24T00:00', '2026-11-24T12:00', '2026-11-25T00:00'],
    ['0 1-14/7 * * *', '2026-11-24T00:00', '2026-11-24T01:00', '2026-11-24T08:00', '2026-11-25T01:00'],
    ['0 0 1,15 */6 *', '2026-11-24T00:00', '2027-01-01T00:00', '2027-01-15T00:00', '2027-07-01T00:00'],
    ['0 12 L * *', '2027-01-31T13:00', '2027-02-28T12:00', '2027-03-31T12:00'],
    ['0 12 L-2 feb ?', '2027-01-01T00:00', '2027-02-26T12:00', '2028-02-27T12:00'],
    ['0 9 * * 5#2', '2026-11-24T00:00', '2026-12-11T09:00', '2027-01-08T09:00'],
    ['0 9 ? * friL', '2026-11-24T00:00', '2026-11-27T09:00', '2026-12-25T09:00'],
    ['0 0 * * 7', '2026-11-24T00:00', '2026-11-29T00:00', '2026-12-06T00:00'],
    ['0 0 * * sat-sun', '2026-11-24T00:00', '2026-11-28T00:00', '2026-11-29T00:00', '2026-12-05T00:00'],
    ['@weekly', '2026-11-24T00:00', '2026-11-29T00:00'],
    ['@yearly', '2026-11-24T00:00', '2027-01-01T00:00'],
    ['30 0 0 * * *', '2026-11-24T00:00', '2026-11-24T00:00:30', '2026-11-25T00:00:30'],
    ['0 0 29 2 *', '2096-03-01T00:00', '2104-02-29T00:00'],
  ] as const) {
    t.same(due(cron, start, expected.length), expected, cron);
  }
});

t.test('a day of the month and a day of the week combine as in cron', async (t) => {
  const start = '2026-11-01T00:00';
  const friday13 = ['2026-11-06T00:00', '2026-11-13T00:00', '2026-11-20T00:00'];
  t.same(due('0 0 13 * fri', start, 3), friday13, 'either of them, where both are given');
  t.same(due('0 0 * * fri', start, 3), friday13, 'the day of the week alone');
  t.same(due('0 0 13 * *', start, 2), ['2026-11-13T00:00', '2026-12-13T00:00'], 'the day of the month alone');
  const oddFridays = ['2026-11-13T00:00', '2026-11-27T00:00', '2026-12-11T00:00'];
  t.same(due('0 0 */2 * fri', start, 3), oddFridays, 'both of them, where one begins with a star');
});

t.test('each number and each name of a weekday and of a month has its meaning', async (t) => {
  // 22 November 2026 is a Sunday.
  for (const [i, name] of weekdayNames.entries()) {
    const expected = [`2026-11-${22 + i}T00:00`, `2026-11-${29 + i}T00:00`].filter(
      (day) => day < '2026-11-31',
    );
    for (const day of [i, name, name.toUpperCase()]) {
      t.same(due(`0 0 * * ${day}`, '2026-11-22T00:00', expected.length), expected, `${day}`);
    }
  }
  for (const [i, name] of monthNames.entries()) {
    const expected = [`2027-${String(i + 1).padStart(2, '0')}-01T00:00`];
    for (const month of [i + 1, name, name.toUpperCase()]) {
      t.same(due(`0 0 1 ${month} *`, '2027-01-01T00:00', 1), expected, `${month}`);
    }
  }
});

t.test('a cron rule ends', async (t) => {
  const fields = { everyUnit: 'cron', start: '2026-11-24T12:00:00' } as const;
  const counted = Recurrence.from({ ...fields, cron: '0 */8 * * *', count: 4 });
  const times = ['2026-11-24T16:00', '2026-11-25T00:00', '2026-11-25T08:00', '2026-11-25T16:00'];
  t.same(dueOf(counted, Date.UTC(2020, 0, 1), 9), times, 'what comes before the start does not count');
  const ending = Recurrence.from({ ...fields, cron: '0 */8 * * *', until: '2026-11-25T08:00:00' });
  t.same(dueOf(ending, Date.UTC(2020, 0, 1), 9), times.slice(0, 3));
  const last = Recurrence.from({ ...fields, cron: '59 59 23 31 12 *' });
  t.equal(last.nextAfter(new Date('2998-01-01T00:00:00Z'))?.toISOString(), '2998-12-31T23:59:59.000Z');
  t.equal(last.nextAfter(new Date('9999-12-31T23:59:59Z')), null);
});

t.test('a day that only some months or years have is accepted', async (t) => {
  for (const cron of ['0 0 29 2 *', '0 0 31 feb,mar *', '0 0 L-27 2 *', '0 0 30 2 mon', '0 0 30-31,L 2 *'])
    t.not(
      dueOf(Recurrence.from({ everyUnit: 'cron', cron, start: '2026-11-24T12:00' }), 0, 1)[0],
      undefined,
      cron,
    );
});

t.test('a count agrees with stepping', async (t) => {
  const cron = { everyUnit: 'cron', cron: '*/7 * * * * *', start: '2026-11-24T12:00:03' } as const;
  // Nine times a minute, of which the first minute has lost the one at second 0.
  const count = 10_000;
  const lastMs = Date.UTC(2026, 10, 24, 12) + Math.floor(count / 9) * minuteMs + (count % 9) * 7000;
  const recurrence = Recurrence.from({ ...cron, count });
  t.equal(recurrence.nextAfter(new Date(lastMs - 1))?.getTime(), lastMs);
  t.equal(recurrence.nextAfter(new Date(lastMs)), null);
});

t.test('random expressions agree with stepping through the minutes', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  for (let i = 0; i < cases(30); i++) {
    const { text, matches } = randomCron(random);
    const start = Date.UTC(
      random.whole(1999, 2040),
      random.whole(0, 11),
      random.whole(1, 28),
      random.whole(0, 23),
      random.whole(0, 59),
    );
    const expected: string[] = [];
    for (let at = start; expected.length < 5 && at < start + 70 * dayMs; at += minuteMs) {
      if (matches(new Date(at))) expected.push(shown(at));
    }
    const found = isReadable(text) ? due(text, shown(start), Math.max(1, expected.length)) : [];
    const isSame =
      expected.length === 0
        ? (found[0] ?? '9999') >= shown(start + 70 * dayMs)
        : found.join() === expected.join();
    if (!isSame) t.same(found, expected, `${text} from ${shown(start)}`);
  }
  t.pass('120 expressions');
});

t.test('fields are normalised and can be parsed again', async (t) => {
  const { text } = parseCron('  0\t4 * JAN,Feb \t Mon-FRI ');
  t.equal(text, '0 4 * jan,feb mon-fri');
  t.same(numbersOf(parseCron(text)), numbersOf(parseCron('0 4 * 1-2 1-5')));
  t.equal(parseCron('@daily').text, '0 0 * * *');
});

for (const [cron, message, found] of [
  [
    '0 4 * *',
    /^expected 5 fields \(minute, hour, day of the month, month, day of the week\) or 6 \(second first\), got: 4, at character 8 of cron/,
    '',
  ],
  ['0 0 1 1 * 2 2027', /got: 7, at character 13/, '2027'],
  ['', /got: 0/, ''],
  [
    '60 * * * *',
    /^expected the minute to be numbers from 0 to 59, or \* and steps of them, got: "60", at character 1 of cron "60 \* \* \* \*"$/,
    '60',
  ],
  ['0 24 * * *', /the hour to be numbers from 0 to 23/, '24'],
  ['0 0 0 * *', /the day of the month to be numbers from 1 to 31/, '0'],
  ['* * * foo *', /the month to be numbers from 1 to 12 or names from jan to dec, .*, got: "foo"/, 'foo'],
  ['0 0 * * mon-wen', /got: "mon-wen", at character 9 .*, did you mean "wed"\?$/, 'mon-wen'],
  ['5-2 * * * *', /the minute to be numbers from 0 to 59/, '5-2'],
  ['*/70 * * * *', /the minute to be .* steps of them, got: "\*\/70", at character 1/, '*/70'],
  ['*/0 * * * *', /the minute to be .* steps of them, got: "\*\/0", at character 1/, '*/0'],
  ['1,60 * * * *', /got: "1,60", at character 1/, '1,60'],
  ['0 0 30 2 *', /expected a day of the month that the month has, got: "30", at character 5/, '30'],
  ['0 0 31 feb,4,6,9,11 ?', /a day of the month that the month has/, '31'],
  ['0 0 L-29 2 *', /L-1 to L-27 alone/, 'l-29'],
  ['0 0 32 * *', /the day of the month to be numbers from 1 to 31/, '32'],
  ['0 0 1 13 *', /the month to be numbers from 1 to 12/, '13'],
  ['0 0 * * 8', /the day of the week to be numbers from 0 to 7/, '8'],
  ['foo', /got: 1, at character 4/, ''],
  ['1,, * * * *', /got: "1,,", at character 1/, '1,,'],
  ['? * * * *', /the minute to be numbers/, '?'],
  ['0 0 15W * *', /L for the last day, or L-1 to L-27 alone/, '15w'],
  ['0 0 L-3 * fri', /\* for the day of the week beside L-1 to L-27/, 'fri'],
  ['0 0 L-31 * *', /L-1 to L-27 alone/, 'l-31'],
  ['0 0 * * 5#6', /each perhaps with #1 to #5 or L/, '5#6'],
  ['0 0 * * L', /each perhaps with #1 to #5 or L/, 'l'],
  [
    '@dayly',
    /^expected one of @yearly, .*, @hourly, got: "@dayly", at character 1 of cron "@dayly", did you mean "@daily"\?$/,
    '@dayly',
  ],
  ['@reboot', /expected one of @yearly/, '@reboot'],
  ['@daily 3', /expected nothing after @daily/, '3'],
] as const) {
  t.test(`refused: ${cron}`, async (t) => {
    t.throws(() => parseCron(cron), { code: 'LINOD_ERR_NOTATION', notation: 'cron', message, found });
    t.throws(() => Recurrence.from({ everyUnit: 'cron', cron, start: '2026-11-24T00:00' }), { message });
  });
}

t.test('fields that contradict a cron expression are refused', async (t) => {
  const cron = { everyUnit: 'cron', cron: '0 4 * * *', start: '2026-11-24T00:00' } as const;
  const code = 'LINOD_ERR_INVALID_RECURRENCE';
  t.throws(() => Recurrence.from({ ...cron, every: 2 }), {
    code,
    message: 'expected every to be 1 where everyUnit is cron, got: 2',
  });
  t.throws(() => Recurrence.from({ ...cron, weekdays: ['monday'] }), {
    code,
    message: /^expected weekdays to be empty where everyUnit is cron/,
  });
  t.throws(() => Recurrence.from({ ...cron, cron: null }), {
    code,
    message: /^expected cron to be an expression such as/,
  });
  t.throws(() => Recurrence.from({ ...cron, everyUnit: 'daily' }), {
    code,
    message: /^expected cron to be empty where everyUnit is daily/,
  });
});

/** The first `n` due times from a start in UTC on, as wall times. */
function due(cron: string, start: string, n: number): string[] {
  return dueOf(Recurrence.from({ everyUnit: 'cron', cron, start }), 0, n);
}

function dueOf(recurrence: Recurrence, after: number, n: number): string[] {
  const found: string[] = [];
  let next = recurrence.nextAfter(new Date(after));
  while (next !== null && found.length < n) {
    found.push(shown(next.getTime()));
    next = recurrence.nextAfter(next);
  }
  return found;
}

function shown(instant: number): string {
  return new Date(instant).toISOString().slice(0, 19).replace(/:00$/, '');
}

/** A field of an expression, with an independent test for its numbers. */
interface RandomField {
  readonly text: string;
  fits(number: number): boolean;
}

/** One that names 30 February is refused. */
function isReadable(text: string): boolean {
  try {
    return parseCron(text) !== null;
  } catch (error) {
    return !(error instanceof Error && error.message.includes('that the month has'));
  }
}

function randomCron(random: Random): { text: string; matches(date: Date): boolean } {
  const minute = randomField(random, 0, 59);
  const hour = randomField(random, 0, 23);
  const month = randomField(random, 1, 12, monthNames);
  const day = random.chance(0.25) ? lastDay(random) : onDate(randomField(random, 1, 31));
  const isBeforeLast = day.text.startsWith('L-');
  const weekday = isBeforeLast
    ? { text: '*', fits: () => true }
    : random.chance(0.25)
      ? weekdayOfMonth(random)
      : onWeekday(randomField(random, 0, 6, weekdayNames));
  const isEither = ![day, weekday].some(({ text }) => text.startsWith('*'));
  return {
    text: [minute, hour, day, month, weekday].map(({ text }) => text).join(' '),
    matches: (date) => {
      const fitting = [day.fits(date), weekday.fits(date)];
      const isDay = isEither ? fitting.includes(true) : !fitting.includes(false);
      return (
        minute.fits(date.getUTCMinutes()) &&
        hour.fits(date.getUTCHours()) &&
        month.fits(date.getUTCMonth() + 1) &&
        isDay
      );
    },
  };
}

function randomField(random: Random, min: number, max: number, names: readonly string[] = []): RandomField {
  if (random.chance(0.3)) return { text: '*', fits: () => true };
  const write = (number: number) => (random.chance(0.5) ? names[number - min] : undefined) ?? String(number);
  const items = Array.from({ length: random.whole(1, 3) }, (): RandomField => {
    const low = random.whole(min, max);
    const high = random.whole(low, max);
    const step = random.whole(1, max);
    switch (random.whole(0, 3)) {
      case 0:
        return { text: write(low), fits: (number) => number === low };
      case 1:
        return { text: `${write(low)}-${write(high)}`, fits: (number) => number >= low && number <= high };
      case 2:
        return { text: `*/${step}`, fits: (number) => (number - min) % step === 0 };
      default:
        return { text: `${low}/${step}`, fits: (number) => number >= low && (number - low) % step === 0 };
    }
  });
  return {
    text: items.map(({ text }) => text).join(','),
    fits: (number) => items.some((item) => item.fits(number)),
  };
}

function onDate({ text, fits }: RandomField): { text: string; fits(date: Date): boolean } {
  return { text, fits: (date) => fits(date.getUTCDate()) };
}

function onWeekday({ text, fits }: RandomField): { text: string; fits(date: Date): boolean } {
  return { text, fits: (date) => fits(date.getUTCDay()) };
}

function lastDay(random: Random): { text: string; fits(date: Date): boolean } {
  const before = random.whole(0, 5);
  const isLast = (date: Date) => new Date(date.getTime() + (before + 1) * dayMs).getUTCDate() === 1;
  return { text: before === 0 ? 'L' : `L-${before}`, fits: isLast };
}

function weekdayOfMonth(random: Random): { text: string; fits(date: Date): boolean } {
  const weekday = random.whole(0, 6);
  const position = random.whole(1, 6);
  const isNth = (date: Date) =>
    position === 6
      ? new Date(date.getTime() + 7 * dayMs).getUTCMonth() !== date.getUTCMonth()
      : Math.ceil(date.getUTCDate() / 7) === position;
  return {
    text: position === 6 ? `${weekday}L` : `${weekday}#${position}`,
    fits: (date) => date.getUTCDay() === weekday && isNth(date),
  };
}
