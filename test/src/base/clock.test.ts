import t from 'tap';
import { systemClock } from '../../../src/base/clock.js';

for (const delayMs of [-1, 0, 1]) {
  t.test(`what is to be called after ${delayMs} ms is called once, later than now`, async (t) => {
    let calls = 0;
    const called = new Promise<void>((resolve) => {
      systemClock.after(delayMs, () => {
        calls++;
        resolve();
      });
    });
    t.equal(calls, 0);
    // Waiting on the clock keeps no process alive.
    const hold = setInterval(() => {}, 1000);
    await called;
    clearInterval(hold);
    t.equal(calls, 1);
  });

  t.test(`what was called off is not called, after ${delayMs} ms either`, async (t) => {
    const calls: string[] = [];
    systemClock.after(delayMs, () => calls.push('called off'))();
    await new Promise<void>((resolve) => setTimeout(resolve, 5));
    t.same(calls, []);
  });
}
