import t from 'tap';
import { beatMs, untilBeat } from '../../../channels/waiting/beat.js';

t.test('all who wait for a beat come at the same time, whenever they begin to wait', async (t) => {
  const now = Date.UTC(2026, 10, 24, 12);
  const beats = new Set<number>();
  for (let ms = 0; ms < beatMs; ms += 100) beats.add(now + ms + untilBeat(now + ms));
  t.equal(beats.size, 2, 'those of before and after the beat in between');
  const [first = 0, second = 0] = [...beats].sort((a, b) => a - b);
  t.equal(second - first, beatMs);
});

t.test('nobody waits longer than a beat, and who comes early does not come twice', async (t) => {
  for (let now = Date.UTC(2026, 0, 1); now < Date.UTC(2026, 0, 1) + 2 * beatMs; now++) {
    const waitMs = untilBeat(now);
    if (waitMs <= 20 || waitMs > beatMs) t.fail(`at ${now} the wait is ${waitMs} ms`);
  }
  const beat = untilBeat(0);
  t.equal(untilBeat(beat - 3), beatMs);
  t.equal(untilBeat(beat), beatMs);
});

t.test('who goes by another measure meets those who do at whole beats', async (t) => {
  const now = Date.UTC(2026, 10, 24, 12);
  for (let ms = 0; ms < 2 * beatMs; ms += 700) {
    const restMs = untilBeat(now + ms, 2 * beatMs);
    t.ok(restMs > 0 && restMs <= 2 * beatMs);
    t.equal(untilBeat(now + ms + restMs), beatMs, 'a beat begins just then');
  }
  for (let ms = 0; ms < 40; ms++) {
    const waitMs = untilBeat(ms, 10);
    t.ok(waitMs > 0 && waitMs <= 10, `${waitMs}: 0 would be for ever`);
  }
});
