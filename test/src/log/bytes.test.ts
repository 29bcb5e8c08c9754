import t from 'tap';
import { Pattern, viewOf } from '../../../src/log/bytes.js';
import { Random } from '../../support/random.js';

t.test('a pattern is found where it stands, and nowhere else', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  const alphabet = Buffer.from('ab0:');
  const ascii = (length: number) => Buffer.from(Array.from({ length }, () => random.pick([...alphabet])));
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.concat([
      ascii(random.whole(0, 40)),
      Buffer.from(Array.from({ length: random.whole(0, 20) }, () => random.whole(0, 255))),
      ascii(random.whole(0, 10)),
    ]).subarray(random.whole(0, 3));
    const start = random.whole(0, bytes.length);
    const isPart = random.chance(0.5);
    const text = isPart ? bytes.subarray(start, start + random.whole(0, 30)) : ascii(random.whole(0, 30));
    if (text.some((byte) => byte === 0 || byte > 0x7f)) continue;
    const pattern = new Pattern(text);
    for (let at = 0; at <= bytes.length; at++) {
      const isThere = bytes.subarray(at, at + text.length).equals(text);
      const found = pattern.isAt(viewOf(bytes), at, bytes.length);
      if (found !== isThere) t.fail(`"${text}" at ${at} of ${bytes.toString('hex')}: ${found}`);
    }
  }
  t.equal(Pattern.of('web').first, 'w'.charCodeAt(0));
  t.equal(Pattern.of('').first, 0);
});
