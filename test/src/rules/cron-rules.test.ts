// Rules by cron on a clock that is moved: by the hour, to and fro, in zones.

import t, { type Test } from 'tap';
import { ChoiceList } from '../../../src/base/choices.js';
import { Procedure, type ScheduleOptions } from '../../../src/rules/procedure.js';
import { openTestSite, type TestSite } from '../../../src/testing.js';

const hourMs = 3_600_000;
const noon = Date.parse('2026-11-24T12:00:00Z');

/** A site whose procedures do nothing. */
async function open(t: Test, schedules: Readonly<Record<string, ScheduleOptions>>): Promise<TestSite> {
  const procedureList = new ChoiceList<Procedure>();
  for (const [name, schedule] of Object.entries(schedules)) {
    procedureList.add(new Procedure(name, () => undefined, schedule, 'test'));
  }
  const site = await openTestSite({ now: new Date(noon), procedureList });
  t.teardown(() => site.close());
  return site;
}

t.test('a rule is run when its time has come and not before, and its job says for which time', async (t) => {
  const site = await open(t, { tick: { cron: '0 */4 * * *' } });
  site.clock.advance(4 * hourMs - 1000);
  t.same(await site.drain(), []);
  site.clock.advance(2000);
  const at = (time: string) => new Date(`2026-11-24T${time}Z`);
  t.match(await site.drain(), [{ dueAt: at('16:00:00'), startDatetime: at('16:00:01'), status: 'done' }]);
  t.same(await site.drain(), []);
});

t.test('a rule that is new makes up for nothing, however long ago its start', async (t) => {
  const site = await open(t, {
    tick: { cron: '0 */4 * * *', startDatetime: '2026-01-01T00:00:00', misfire: 'run-all' },
    now: { cron: '0 12 * * *', misfire: 'run-all' },
  });
  t.same(await site.drain(), []);
  const due = (await site.rules.list()).map(({ nextDueAt }) => nextDueAt?.toISOString());
  t.same(due, ['2026-11-24T16:00:00.000Z', '2026-11-25T12:00:00.000Z']);
});

t.test('a clock that goes to and fro runs nothing before its time, and nothing twice', async (t) => {
  const site = await open(t, { tick: { cron: '0 */4 * * *' } });
  const setTo = async (time: string) => {
    site.clock.setTo(Date.parse(`2026-11-24T${time}Z`));
    return (await site.drain()).map(({ dueAt }) => dueAt?.toISOString().slice(11, 16));
  };
  for (let i = 0; i < 10; i++) {
    t.same(await setTo('15:59:00'), []);
    t.same(await setTo('15:59:30'), []);
  }
  t.same(await setTo('16:00:01'), ['16:00']);
  for (let i = 0; i < 3; i++) {
    t.same(await setTo('15:00:01'), []);
    t.same(await setTo('16:00:01'), []);
  }
  t.same(await setTo('20:00:01'), ['20:00'], 'and the next one comes');
});

t.test('the hours of a rule are those of its zone', async (t) => {
  const site = await open(t, {
    chicago: { cron: '30 9 * * *', timezone: 'America/Chicago' },
    utc: { cron: '30 9 * * *' },
  });
  const jobs = await site.advanceTo('2026-11-25T23:59:00Z');
  t.same(
    jobs.map(({ procedure, dueAt }) => [procedure, dueAt?.toISOString()]),
    [
      ['chicago', '2026-11-24T15:30:00.000Z'],
      ['utc', '2026-11-25T09:30:00.000Z'],
      ['chicago', '2026-11-25T15:30:00.000Z'],
    ],
  );
});

t.test('all that is due in a minute is run in it, and nothing else', async (t) => {
  const site = await open(t, {
    one: { cron: '* * * * *' },
    seldom: { cron: '59 23 31 12 *' },
    two: { cron: '* * * * *' },
  });
  const jobs = await site.advance(60_000);
  t.same(
    jobs.map(({ procedure }) => procedure),
    ['one', 'two'],
  );
});
