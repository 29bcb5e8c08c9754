import t from 'tap';
import { AdmittedTimes } from '../../../src/recurrence/admitted-times.js';
import { Exclusions } from '../../../src/recurrence/exclusions.js';
import { Jitter } from '../../../src/recurrence/jitter.js';
import { Recurrence, type RecurrenceFields } from '../../../src/recurrence/recurrence.js';

const start = Date.UTC(2026, 10, 24);
const daily = { everyUnit: 'daily', start: '2026-11-24T20:00:00' } as const;
const every10 = { everyUnit: 'secondly', every: 10, start: '2026-11-24T00:00:00' } as const;

function jitterOf(fields: RecurrenceFields, seed: number, maxMs: number, excluded: string[] = []): Jitter {
  const times = new AdmittedTimes(Recurrence.from(fields).occurrences, new Exclusions(excluded), 'skip');
  return new Jitter({ seed, maxMs, times });
}

function some(jitter: Jitter, count: number, from = start): number[] {
  const found: number[] = [];
  for (let at = jitter.nextAfter(from); at !== null && found.length < count; at = jitter.nextAfter(at))
    found.push(at);
  return found;
}

t.test('jitter moves a rule by a constant number of whole seconds', async (t) => {
  for (let seed = 1; seed <= 50; seed++) {
    const [first = 0, ...others] = some(jitterOf(daily, seed, 3_600_000), 5);
    const shift = first - Date.UTC(2026, 10, 24, 20);
    t.ok(shift >= 0 && shift < 3_600_000 && shift % 1000 === 0, `${shift} ms`);
    t.same(
      others,
      [1, 2, 3, 4].map((days) => first + days * 86_400_000),
    );
  }
});

t.test('neighbouring seeds spread evenly over the jitter', async (t) => {
  const tenths = new Map<number, number>();
  for (let seed = 1; seed <= 1000; seed++) {
    const tenth = Math.floor((10 * jitterOf(every10, seed, 10_000).shiftOf(start)) / 10_000);
    tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1);
  }
  t.equal(tenths.size, 10);
  for (const [tenth, count] of tenths) t.ok(count > 60 && count < 140, `${count} rules in tenth ${tenth}`);
});

t.test('large jitter never moves a time past the next', async (t) => {
  for (let seed = 1; seed <= 10; seed++) {
    const jitter = jitterOf(every10, seed, 3_600_000);
    const found = some(jitter, 30, start - 1);
    found.forEach((at, i) => {
      t.equal(Math.floor((at - start) / 10_000), i, 'each within its own 10 s');
      t.equal(jitter.shiftBefore(at), at - start - i * 10_000);
    });
  }
});

t.test('the next time is the same from any instant before it', async (t) => {
  const jitter = jitterOf({ ...daily, everyUnit: 'cron', cron: '0,5 20,22 * * *' }, 7, 600_000);
  const found = some(jitter, 8);
  for (let at = start; at < start + 86_400_000; at += 7_919_000) {
    t.equal(
      jitter.nextAfter(at),
      found.find((time) => time > at),
    );
  }
});

t.test('jitter passes midnight, but not the beginning of an exclusion', async (t) => {
  const late = { ...daily, start: '2026-11-24T23:59:30' };
  const midnight = Date.UTC(2026, 10, 25);
  const seeds = Array.from({ length: 40 }, (_, i) => i + 1);
  const firsts = (excluded: string[]) =>
    seeds.map((seed) => jitterOf(late, seed, 3_600_000, excluded).nextAfter(start) ?? 0);
  t.ok(firsts([]).some((at) => at >= midnight));
  t.ok(
    firsts(['wed']).every((at) => at < midnight),
    'an excluded day',
  );
  t.ok(
    firsts(['00:00-06:00']).every((at) => at < midnight),
    'an excluded window',
  );
  t.ok(firsts(['00:30-06:00']).some((at) => at >= midnight));
  t.ok(firsts(['00:30-06:00']).every((at) => at < midnight + 1_800_000));
});

t.test('jitter ends where a clock change would move it into an exclusion', async (t) => {
  // Tallinn: at 01:00 UTC on 29 March 2026 the clocks go from 03:00 to 04:00, which is excluded.
  const fields = { everyUnit: 'daily', start: '2026-03-01T02:50:00', timezone: 'Europe/Tallinn' } as const;
  const change = Date.UTC(2026, 2, 29, 1);
  for (let seed = 1; seed <= 40; seed++) {
    const moved = jitterOf(fields, seed, 3_000_000, ['04:00-05:00']).nextAfter(change - 600_001) ?? 0;
    t.ok(moved >= change - 600_000 && moved < change, new Date(moved).toISOString());
  }
});
