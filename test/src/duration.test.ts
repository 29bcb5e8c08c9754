import t from 'tap';
import { durationText } from '../../src/duration.js';

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
