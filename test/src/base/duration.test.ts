import t from 'tap';
import { durationText, inUnitOf, parseDuration } from '../../../src/base/duration.js';

for (const [ms, text] of [
  [0, '0 ms'],
  [-5, '0 ms'],
  [999, '999 ms'],
  [1000, '1 s'],
  [12_340, '12.3 s'],
  [59_999, '60 s'],
  [60_000, '1 min'],
  [303_000, '5 min 3 s'],
  [7_200_000, '2 h'],
  [7_500_000, '2 h 5 min'],
  [273_600_000, '3 d 4 h'],
  [86_400_000 + 59_000, '1 d'],
] as const) {
  t.test(`${ms} ms are told as ${text}`, async (t) => {
    t.equal(durationText(ms), text);
  });
}

t.test('durations are read in one grammar, larger units first', async (t) => {
  const read = {
    '90s': 90_000,
    '15m': 900_000,
    '90 min': 5_400_000,
    '1h30m': 5_400_000,
    '1 h 30 min': 5_400_000,
    '2d': 172_800_000,
    '1.5d': 129_600_000,
    '1w': 604_800_000,
    '340 ms': 340,
    ' 5m ': 300_000,
  };
  for (const [text, ms] of Object.entries(read)) t.equal(parseDuration(text), ms, text);
  for (const text of [
    '',
    '15',
    'm',
    '1h30',
    '30m1h',
    '1h1h',
    '1m1min',
    '-5m',
    '5M',
    '5 m s',
    '1hour',
    '1e3s',
  ])
    t.equal(parseDuration(text), undefined, text);
});

t.test('what is written as a duration can be read', async (t) => {
  for (const ms of [340, 12_300, 303_000, 7_500_000, 273_600_000])
    t.equal(parseDuration(durationText(ms)), ms);
});

t.test('a field takes a duration in the unit that its name ends in', async (t) => {
  t.equal(inUnitOf('graceSeconds', '1m30s'), 90);
  t.equal(inUnitOf('logOrderMs', '1s'), 1000);
  t.equal(inUnitOf('logKeepDays', '2w'), 14);
  t.equal(inUnitOf('graceSeconds', 5), 5);
  t.equal(inUnitOf('graceSeconds', 'soon'), 'soon');
  t.equal(inUnitOf('group', '5m'), '5m');
});
