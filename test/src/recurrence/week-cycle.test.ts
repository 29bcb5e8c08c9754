import t from 'tap';
import { WeekCycle } from '../../../src/recurrence/week-cycle.js';
import { Random } from '../../support/random.js';

const hourMs = 3_600_000;
const weekMs = 168 * hourMs;

t.test('counts and finds the steps that stepping finds', async (t) => {
  const random = new Random();
  t.comment(`SEED=${random.seed}`);
  for (let i = 0; i < 500; i++) {
    const everyMs = random.pick([1000, 60_000, hourMs]) * random.pick([1, 7, 84, 168, random.whole(1, 1000)]);
    const weekdays = random.some([0, 1, 2, 3, 4, 5, 6]);
    const phase = random.whole(0, weekMs - 1);
    const hits = Array.from({ length: 2000 }, (_, step) => step).filter((step) =>
      weekdays.includes(Math.floor(((phase + step * everyMs) % weekMs) / (24 * hourMs))),
    );
    const cycle = new WeekCycle(everyMs, weekdays);
    const steps = random.whole(0, 2000);
    const about = `every ${everyMs} ms from ${phase} on ${weekdays}`;
    const expected = hits.filter((step) => step < steps).length;
    if (cycle.count(phase, steps) !== expected) t.fail(`${about}: ${steps} steps have ${expected}`);
    const n = random.whole(1, 300);
    const nth = hits[n - 1];
    if (nth !== undefined && cycle.nth(phase, n) !== nth) t.fail(`${about}: ${n}th is at ${nth}`);
  }
  t.pass('500 cycles');
});

t.test('knows what never comes', async (t) => {
  t.equal(new WeekCycle(weekMs, [1]).nth(12 * hourMs, 1), undefined, 'a week after a Monday is no Tuesday');
  t.equal(new WeekCycle(weekMs / 2, [1]).nth(0, 1), undefined, 'half weeks from Monday 00:00 meet Thursday');
  t.equal(new WeekCycle(weekMs / 2, [3]).nth(0, 1), 1);
  t.equal(new WeekCycle(hourMs, []).nth(0, 1), undefined);
});

t.test('finds what comes after half a million steps', async (t) => {
  t.equal(new WeekCycle(weekMs - 1000, [1]).nth(0, 1), 5 * 86_400 + 1);
  t.equal(
    new WeekCycle(1000, [0]).nth(0, 10 ** 10),
    (10 ** 10 / 86_400 - ((10 ** 10 / 86_400) % 1)) * 604_800 + (10 ** 10 % 86_400) - 1,
  );
});
