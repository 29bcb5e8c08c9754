import t from 'tap';
import { Exclusions, isExcludedList, wrongEntry } from '../../../src/recurrence/exclusions.js';
import { formatWallTime } from '../../../src/recurrence/time/wall-time.js';

const wall = (text: string): number => Date.parse(`${text.length === 10 ? `${text}T00:00` : text}Z`);

t.test('entries exclude the expected times', async (t) => {
  // 2026-11-28 is a Saturday; Easter Sunday 2026 is 5 April.
  const cases: ReadonlyArray<readonly [string, readonly string[], readonly string[]]> = [
    ['sat', ['2026-11-28', '2026-11-28T23:59:59'], ['2026-11-27T23:59:59', '2026-11-29']],
    ['Fri-Mon', ['2026-11-27', '2026-11-30'], ['2026-11-26', '2026-12-01']],
    ['saturday-sunday', ['2026-11-28', '2026-11-29'], ['2026-11-30']],
    ['12-25', ['2026-12-25T10:00', '2031-12-25'], ['2026-12-24', '2026-12-26']],
    ['02-29', ['2028-02-29'], ['2027-03-01', '2027-02-28']],
    ['2026-12-24', ['2026-12-24'], ['2027-12-24']],
    ['12-24..01-02', ['2026-12-24', '2026-12-31', '2027-01-01', '2027-01-02'], ['2026-12-23', '2027-01-03']],
    ['2026-12-24..2027-01-02', ['2026-12-31', '2027-01-02'], ['2027-12-24', '2027-01-03']],
    ['easter+1', ['2026-04-06'], ['2026-04-05', '2027-04-06']],
    ['easter-2..easter+1', ['2026-04-03', '2026-04-06'], ['2026-04-02', '2026-04-07']],
    ['09:00-17:00', ['2026-11-28T09:00', '2026-11-28T16:59:59'], ['2026-11-28T08:59:59', '2026-11-28T17:00']],
    ['22:00-06:00', ['2026-11-28T22:00', '2026-11-28T05:59'], ['2026-11-28T06:00', '2026-11-28T21:59']],
    ['20:00-24:00', ['2026-11-28T23:59:59'], ['2026-11-28', '2026-11-28T19:59']],
    ['fri 22:00-06:00', ['2026-11-27T22:00', '2026-11-28T05:59'], ['2026-11-27T05:00', '2026-11-28T22:00']],
    ['mon-fri 12:00-13:00', ['2026-11-27T12:30'], ['2026-11-28T12:30']],
  ];
  for (const [entry, inside, outside] of cases) {
    const exclusions = new Exclusions([entry]);
    for (const time of inside) t.ok(exclusions.at(wall(time)), `${entry}: ${time}`);
    for (const time of outside) t.notOk(exclusions.at(wall(time)), `${entry}: not ${time}`);
  }
});

t.test('an invalid exclusion is refused, with the entry', async (t) => {
  const wrong = [
    '',
    'someday',
    'saturn',
    'sat-monkey',
    'frisbee 09:00-17:00',
    'sat-',
    '13-01',
    '02-30',
    '2026-02-29',
    '25:00-26:00',
    '09:00-09:00',
    'mon-',
    '12-24..',
  ];
  for (const entry of [...wrong, '2026-12-24..01-02', '2027-01-02..2026-12-24', '09:00', 'easter+1000']) {
    t.notOk(isExcludedList(['sat', entry]), entry);
    t.throws(() => new Exclusions(['sat', entry]), { message: `got: ${JSON.stringify(entry)}` }, entry);
  }
  t.equal(wrongEntry(['sat', 'saterday', 'x']), '"saterday", did you mean "saturday"?');
  t.equal(wrongEntry(['sat', '13-01']), '"13-01"');
  t.equal(wrongEntry('sat'), null, 'no single entry is wrong');
  for (const entry of ['Sat', 'tues', 'thursdays', 'saturday-monday', 'thurs-fri 09:00-17:00', 'weekends'])
    t.ok(isExcludedList([entry]), entry);
  t.notOk(isExcludedList('sat'), 'a text is not a list');
  t.ok(isExcludedList([]));
});

t.test(
  'a time is postponed to the end of a window, or from a day to the same time of a later day',
  async (t) => {
    const cases: ReadonlyArray<readonly [readonly string[], string, string | null]> = [
      [['sat', 'sun'], '2026-11-28T10:00', '2026-11-30T10:00'],
      [['weekend'], '2026-11-28T10:00', '2026-11-30T10:00'],
      [['weekdays 08:00-24:00'], '2026-11-27T10:00', '2026-11-28T00:00'],
      [['sat-sun', '2026-11-30'], '2026-11-28T10:00', '2026-12-01T10:00'],
      [['09:00-17:00'], '2026-11-28T10:00', '2026-11-28T17:00'],
      [['22:00-06:00'], '2026-11-28T23:00', '2026-11-29T06:00'],
      [['09:00-12:00', '12:00-13:00'], '2026-11-28T10:00', '2026-11-28T13:00'],
      [['sat', 'sun', 'mon 08:00-17:00'], '2026-11-28T10:00', '2026-11-30T17:00'],
      [['20:00-24:00', 'sun'], '2026-11-28T21:00', '2026-11-30T00:00'],
      [['12-24..01-02'], '2026-12-24T23:59:59', '2027-01-03T23:59:59'],
      [['02-29'], '2028-02-29T03:00', '2028-03-01T03:00'],
      [['sat'], '2026-11-29T10:00', '2026-11-29T10:00'],
      [['mon-sun'], '2026-11-28T10:00', null],
    ];
    for (const [entries, from, to] of cases) {
      const found = new Exclusions(entries).postponed(wall(from));
      const wanted = to === null ? null : formatWallTime(wall(to));
      t.equal(found === null ? null : formatWallTime(found), wanted, `${entries}: ${from}`);
    }
  },
);
