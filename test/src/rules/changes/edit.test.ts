// What a person may change in a rule, and what that does to when it is due.

import t from 'tap';
import { ruleStory } from '../../../../src/insight/why/rule-story.js';
import { noon, openBench } from '../../../support/site.js';
import { every10, nothing, oldestFirst, reasons } from '../../../support/tasks.js';

t.test('an edit never fires a rule, and a wrong one changes nothing', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { startDatetime: 'T20:00:00' });
  await bench.tasks.setup();
  await t.rejects(bench.rules.edit(1, { everyUnit: 'dayly' }), { code: 'LINOD_ERR_INVALID_RECURRENCE' });
  await t.rejects(bench.rules.edit(1, { weekday: ['monday'] } as object), {
    code: 'LINOD_ERR_USAGE',
    message: 'a job rule has no field "weekday", did you mean "weekdays"?',
  });
  await t.rejects(bench.rules.edit(1, { logLevel: 'LOUD' }), { code: 'LINOD_ERR_UNKNOWN_LEVEL' });
  // It would be taken for the rule of this number.
  await t.rejects(bench.rules.edit(1, { name: '2024' }), {
    code: 'LINOD_ERR_USAGE',
    message: /not digits only/,
  });
  await t.rejects(bench.rules.edit(1, { timeoutSeconds: -1 }), { code: 'LINOD_ERR_USAGE' });
  await t.rejects(bench.rules.edit(7, { every: 2 }), { message: 'no job rule 7; there are 1' });
  t.equal(String(await bench.rules.get(1)), 'Job rule #1 <Procedures.report every 1 daily>');
  await bench.rules.edit(1, { startDatetime: '2020-01-01T08:00:00' });
  await bench.tasks.run();
  t.same(await oldestFirst(bench), []);
  t.same((await bench.rules.get(1)).nextDueAt, new Date(noon + 20 * 3_600_000));
});

t.test('an override can say that there is none', async (t) => {
  const bench = await openBench(t);
  const until = '2026-11-24T12:00:15';
  bench.add('report', nothing, {
    ...every10,
    weekdays: ['tuesday'],
    until,
    count: 1,
    startDatetime: '2026-11-24T12:00:00',
  });
  await bench.tasks.setup();
  await bench.rules.edit(1, { weekdays: [], until: '', count: 0 });
  t.match(await bench.rules.get(1), { until: null, count: null });
  t.same((await bench.rules.get(1)).dueAfter(new Date(noon + 86_400_000)), new Date(noon + 86_410_000));
  await bench.rules.edit(1, { weekdays: null, until: null, count: null });
  t.match(await bench.rules.get(1), { until, count: 1 });
});

t.test('a person says when in words, in cron or as RRULE text, and takes all of it back', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, {
    startDatetime: 'T20:00:00',
    weekdays: ['monday'],
    until: '2030-01-01T00:00:00',
  });
  await bench.tasks.setup();
  const { fields } = (await bench.rules.get(1)).recurrence;
  const when = async (text: string | null) => (await bench.rules.edit(1, { when: text })).recurrence.fields;
  t.match(await when('every 2 weeks on mon, fri at 10:00'), {
    everyUnit: 'weekly',
    every: 2,
    weekdays: ['monday', 'friday'],
    start: '2026-11-24T10:00:00',
    until: null,
    timezone: 'UTC',
  });
  t.same((await bench.rules.get(1)).nextDueAt, new Date('2026-11-27T10:00:00Z'));
  t.match(await when('0 4 * * mon-fri'), {
    everyUnit: 'cron',
    every: 1,
    weekdays: [],
    cron: '0 4 * * mon-fri',
  });
  t.equal(String(await bench.rules.get(1)), 'Job rule #1 <Procedures.report cron 0 4 * * mon-fri>');
  t.match(await when('2 days before Easter at 9 in Europe/Tallinn'), {
    everyUnit: 'easterly',
    cron: null,
    start: '2027-03-26T09:00:00',
    timezone: 'Europe/Tallinn',
  });
  t.match(await when('DTSTART:20261201T100000Z RRULE:FREQ=DAILY;COUNT=3'), { count: 3, timezone: 'UTC' });
  await t.rejects(when('every 2 weks'), { code: 'LINOD_ERR_NOTATION', message: /did you mean "weeks"/ });
  t.same(await when(null), fields);
});

t.test('a rule all of whose times are excluded says so, and not that it has ended', async (t) => {
  const bench = await openBench(t);
  bench.add('never', nothing, { ...every10, excluded: ['mon-sun'] });
  await bench.tasks.setup();
  const [line] = await bench.tasks.status();
  t.equal(
    line,
    'Job rule #1 <Procedures.never every 10 secondly> never runs: all of its times are excluded (mon-sun)',
  );
  const { outlook } = await ruleStory(bench, 1, { now: new Date(noon) });
  t.match(outlook.blockers[0], {
    code: 'excluded',
    sentence: /^all of its times are excluded \(mon-sun\): /,
  });
});

t.test('so many times are so many that are still to come, whoever says so', async (t) => {
  const bench = await openBench(t);
  // All of them have a time today that has passed, since it is noon.
  bench.add('asked', nothing, {});
  bench.add('daily', nothing, { everyUnit: 'daily', every: 1, startDatetime: 'T06:00:00', count: 7 });
  bench.add('elapsed', nothing, { ...every10, count: 2 });
  bench.add('quarters', nothing, { everyUnit: 'minutely', every: 15, startDatetime: 'T00:00:00', count: 3 });
  bench.clock.setTo(noon + 60_500);
  await bench.tasks.setup();
  const dues = async (id: number) =>
    (await bench.rules.get(id)).dueTimes
      .timetable(new Date(bench.clock.now()), 10)
      .map(({ at }) => at?.toISOString().slice(5, 19));
  t.same((await dues(2)).length, 7);
  t.equal((await dues(2))[0], '11-25T06:00:00');
  t.same(await dues(3), ['11-24T12:01:10', '11-24T12:01:20']);
  t.same(await dues(4), ['11-24T12:15:00', '11-24T12:30:00', '11-24T12:45:00']);
  await bench.rules.edit(1, { when: 'every 15 minutes 2 times' });
  t.same(await dues(1), ['11-24T12:15:00', '11-24T12:30:00']);
  await bench.rules.edit(1, { when: 'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR;COUNT=2' });
  t.same(await dues(1), ['11-27T00:00:00', '12-08T00:00:00']);
  await bench.rules.edit(1, { when: 'daily at 10:00 2 times' });
  t.same(await dues(1), ['11-25T10:00:00', '11-26T10:00:00']);
  // A day that is named is where it begins, and what has passed of it counts.
  await bench.rules.edit(1, { when: 'daily from 2026-11-23 at 10:00 4 times' });
  t.same(await dues(1), ['11-25T10:00:00', '11-26T10:00:00']);
});

t.test('a rule has its own choices at clock changes', async (t) => {
  const bench = await openBench(t);
  const suggested = { startDatetime: '2026-01-01T02:30:00', timezone: 'Europe/Brussels' };
  bench.add('report', nothing, { ...suggested, missingTime: 'at-jump' });
  await bench.tasks.setup();
  const spring = new Date('2027-03-27T12:00:00Z');
  const due = async () => (await bench.rules.get(1)).dueAfter(spring)?.toISOString();
  t.equal(await due(), '2027-03-28T01:00:00.000Z', 'as the procedure suggests');
  await bench.rules.edit(1, { missingTime: 'skipped', repeatedTime: 'both' });
  t.equal(await due(), '2027-03-29T00:30:00.000Z', 'as a person overrides');
  t.match((await bench.rules.get(1)).recurrence.fields, { missingTime: 'skipped', repeatedTime: 'both' });
  await t.rejects(bench.rules.edit(1, { missingTime: 'lost' }), {
    code: 'LINOD_ERR_INVALID_RECURRENCE',
    message: 'expected missingTime to be one of shifted, skipped, at-jump, got: "lost"',
  });
  await bench.rules.edit(1, { missingTime: null });
  t.equal(await due(), '2027-03-28T01:00:00.000Z', 'and taken back');
});

t.test('cron is a field of its own, which decides while everyUnit is cron', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, { every: 3, weekdays: ['monday'], startDatetime: 'T20:00:00' });
  bench.add('other', nothing, { cron: '0 5 * * *' });
  await bench.tasks.setup();
  t.match((await bench.rules.edit(1, { cron: '0 4 * * *' })).recurrence.fields, {
    everyUnit: 'cron',
    every: 1,
    weekdays: [],
  });
  const hourly = await bench.rules.edit(1, { everyUnit: 'hourly' });
  t.match(hourly.recurrence.fields, { everyUnit: 'hourly', every: 3, weekdays: ['monday'], cron: null });
  t.match((await bench.rules.edit(1, { cron: null })).recurrence.fields, { everyUnit: 'daily', cron: null });
  await t.rejects(bench.rules.edit(1, { cron: '0 4 * *' }), { code: 'LINOD_ERR_NOTATION' });

  t.match((await bench.rules.get(2)).recurrence.fields, { everyUnit: 'cron', cron: '0 5 * * *' });
  t.match((await bench.rules.edit(2, { everyUnit: 'daily' })).recurrence.fields, {
    everyUnit: 'daily',
    cron: null,
  });
});

t.test('an edit of a cancelled rule is checked, too', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, every10);
  await bench.tasks.setup();
  await bench.tasks.cancel(await bench.rules.get(1));
  await t.rejects(bench.rules.edit(1, { every: -5 }), { code: 'LINOD_ERR_INVALID_RECURRENCE' });
  await t.rejects(bench.rules.edit(1, { timezone: 'Mars/X' }), { code: 'LINOD_ERR_INVALID_RECURRENCE' });
  for (const field of ['constructor', 'toString', '__proto__']) {
    await t.rejects(bench.rules.edit(1, Object.fromEntries([[field, 5]])), { code: 'LINOD_ERR_USAGE' });
  }
});

t.test(
  'what lies before the first due time of an edited rule is told, and what was told before is not any more',
  async (t) => {
    const bench = await openBench(t);
    bench.add('report', nothing, { startDatetime: 'T20:00:00' });
    await bench.tasks.setup();
    await bench.rules.edit(1, { excluded: ['tue', 'wed'] });
    t.match(await reasons(bench), ['skipped excluded by tue', 'skipped excluded by wed', /^edited/]);
    await bench.rules.edit(1, { excluded: ['tue'], onExcluded: 'postpone' });
    t.match(await reasons(bench), [
      /^edited/,
      'skipped excluded by tue; it is due at 2026-11-25T20:00:00+00:00 all the same',
      /^edited/,
    ]);
    await bench.rules.cancel(1);
    t.match(
      await reasons(bench),
      [/^edited/, /^edited/, 'cancelled by w1'],
      'nor of a rule that is not due at all',
    );
  },
);

t.test('since when a rule is cancelled stays, so that each due time since then is told', async (t) => {
  const bench = await openBench(t);
  bench.add('report', nothing, every10);
  await bench.tasks.setup();
  await bench.rules.cancel(1);
  bench.clock.advance(25_000);
  const refused = { code: 'LINOD_ERR_USAGE', message: 'job rule 1 is cancelled already' };
  await t.rejects(bench.rules.cancel(1), refused);
  await bench.rules.resume(1);
  t.match((await reasons(bench)).slice(1), ['skipped the rule was cancelled then', 'resumed by w1']);
  t.match(
    await bench.store.db.selectFrom('decisions').select('times').where('reason', '=', 'skipped').execute(),
    [{ times: 2 }],
  );
});

t.test(
  'a person may cancel for good what a failure has cancelled, and it stays cancelled since then',
  async (t) => {
    const bench = await openBench(t);
    bench.add('report', () => Promise.reject(new Error('no stock')), every10);
    await bench.tasks.setup();
    bench.clock.advance(10_000);
    await bench.tasks.run();
    await bench.tasks.settled();
    bench.clock.advance(60_000);
    const since = { cancelledAt: new Date(noon + 10_000), cancelledBy: 'person' };
    t.match(await bench.rules.cancel(1), since);
    t.match(await bench.tasks.setup(), { reactivated: [] });
  },
);
