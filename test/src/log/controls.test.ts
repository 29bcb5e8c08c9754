import t from 'tap';
import { hasControls } from '../../../src/log/controls.js';
import { Random } from '../../support/random.js';

t.test('a control character is found wherever it stands, and nothing else is taken for one', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  for (let i = 0; i < 20_000; i++) {
    const bytes = Buffer.from(
      Array.from({ length: random.whole(0, 40) }, () => random.pick([9, 10, 32, 65, 126, 128, 255])),
    );
    const part = bytes.subarray(random.whole(0, 4));
    if (hasControls(part)) t.fail('a harmless byte is taken for one', { bytes: [...part] });
    if (part.length === 0) continue;
    part[random.whole(0, part.length - 1)] = random.pick([0, 1, 8, 11, 13, 27, 31, 127]);
    if (!hasControls(part)) t.fail('one is not found', { bytes: [...part] });
  }
});
