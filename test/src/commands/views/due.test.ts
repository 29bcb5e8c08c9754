import t from 'tap';
import { dueJson, dueLines } from '../../../../src/commands/views/due.js';
import type { RuleChanges } from '../../../../src/rules/site-rules.js';
import { openBench } from '../../../support/site.js';

t.test('a line shows what became of a due time, and why', async (t) => {
  const bench = await openBench(t);
  bench.add('report', () => undefined, { startDatetime: '2026-01-01T02:30:00', timezone: 'Europe/Brussels' });
  await bench.tasks.setup();
  const next = async (from: string, changes: RuleChanges) => {
    const rule = await bench.rules.edit(1, changes);
    return dueLines(rule, rule.dueTimes.timetable(new Date(from), 3));
  };
  t.same(await next('2027-01-01', { excluded: ['01-02..01-04'] }), [
    '2027-01-01T02:30:00+01:00',
    '2027-01-02T02:30:00        skipped with 2 more, up to 2027-01-04T02:30:00: excluded by 01-02..01-04',
    '2027-01-05T02:30:00+01:00',
  ]);
  t.same(await next('2027-01-01', { excluded: ['01-02', '02:00-05:00'], onExcluded: 'postpone' }), [
    '2027-01-01T05:00:00+01:00  postponed from 2027-01-01T02:30:00: excluded by 02:00-05:00',
    '2027-01-03T02:30:00        skipped: excluded by 02:00-05:00; still due at 2027-01-03T05:00:00+01:00',
    '2027-01-03T05:00:00+01:00  postponed from 2027-01-02T02:30:00: excluded by 01-02',
  ]);
  const [first] = await next('2027-03-27T12:00:00Z', { excluded: [], onExcluded: null, jitterSeconds: 1800 });
  t.match(
    first,
    /^2027-03-28T0[34]:\d\d:\d\d\+02:00 {2}shifted: the clocks skip 02:30; moved by .* of jitter; the clocks went forward by 1 h$/,
  );
});

t.test('as JSON it is all there, too', async (t) => {
  const bench = await openBench(t);
  bench.add('report', () => undefined, {
    startDatetime: 'T02:30:00',
    excluded: ['wed'],
    onExcluded: 'postpone',
  });
  await bench.tasks.setup();
  const rule = await bench.rules.get(1);
  t.same(dueJson(rule, rule.dueTimes.timetable(new Date('2026-11-24T12:00:00Z'), 1)), [
    {
      at: null,
      local: null,
      wall: '2026-11-25T02:30:00',
      note: null,
      clockChangeMinutes: 0,
      excludedBy: 'wed',
      instead: new Date('2026-11-26T02:30:00Z'),
      times: 1,
      lastWall: '2026-11-25T02:30:00',
      jitterSeconds: 0,
    },
  ]);
});
