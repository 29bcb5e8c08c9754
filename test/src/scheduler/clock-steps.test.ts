import t from 'tap';
import { systemClock } from '../../../src/base/clock.js';
import { ClockSteps } from '../../../src/scheduler/clock-steps.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { noon } from '../../support/site.js';

const dayMs = 86_400_000;

function begin() {
  const clock = new ManualClock(noon);
  return { clock, steps: new ClockSteps(clock) };
}

t.test('time that passes is no step, however long nobody looks', async (t) => {
  const { clock, steps } = begin();
  for (const ms of [0, 100, 5000, 60_000, 30 * dayMs]) {
    clock.advance(ms);
    t.equal(steps.detect(), null);
  }
});

t.test(
  'a clock that is set forward is told once, by how much it was set and not by how long nobody looked',
  async (t) => {
    const { clock, steps } = begin();
    clock.advance(4000);
    t.notOk(steps.isSet);
    clock.setTo(clock.now() + dayMs);
    t.ok(steps.isSet);
    t.same(steps.detect(), { from: noon, to: noon + dayMs + 4000, why: 'the clock was set forward by 1 d' });
    t.equal(steps.detect(), null);
    clock.advance(dayMs);
    t.equal(steps.detect(), null);
  },
);

t.test('so is one that is set back', async (t) => {
  const { clock, steps } = begin();
  clock.advance(4000);
  clock.setTo(clock.now() - dayMs);
  t.same(steps.detect(), { from: noon, to: noon - dayMs + 4000, why: 'the clock was set back by 1 d' });
  t.equal(steps.detect(), null);
  clock.setTo(clock.now() - 999);
  t.equal(steps.detect(), null, 'a clock that is merely corrected was not set');
});

t.test('a step after which nothing is late is told when there was a pause', async (t) => {
  const { clock, steps } = begin();
  clock.setTo(noon + 3000);
  t.equal(steps.detect(), null);
  clock.advance(60_000);
  t.match(steps.detect(), { why: 'the clock was set forward by 3 s' });
  clock.advance(60_000);
  t.equal(steps.detect(), null);
});

t.test("the machine's clock tells how much time has passed", async (t) => {
  const steps = new ClockSteps(systemClock);
  const before = systemClock.passed();
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.ok(systemClock.passed() > before);
  t.equal(steps.detect(), null);
});
