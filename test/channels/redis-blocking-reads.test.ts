import t from 'tap';
import { untilCommonEnd } from '../../channels/layers/redis/blocking-reads.js';

t.test(
  'reads that begin at different times end together, and none waits for longer than it may',
  async (t) => {
    for (const begunAt of [12_000, 12_300, 15_000, 19_000])
      t.equal(begunAt + untilCommonEnd(10_000, begunAt), 20_000);
    t.equal(untilCommonEnd(10_000, 12_000.25), 8000, 'in whole milliseconds');
    t.equal(untilCommonEnd(10_000, 20_000), 10_000);
    t.equal(
      untilCommonEnd(10_000, 19_999.5),
      10_000,
      'one that ended a little early does not begin a tiny wait',
    );
    for (let now = 0; now < 40; now += 0.25) {
      const waitMs = untilCommonEnd(10, now);
      t.ok(waitMs > 0 && waitMs <= 10, `${waitMs} at ${now}: 0 would be for ever`);
    }
  },
);
