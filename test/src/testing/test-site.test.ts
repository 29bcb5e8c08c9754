import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { ChoiceList } from '../../../src/base/choices.js';
import { Procedure, type ProcedureFunction, type ScheduleOptions } from '../../../src/rules/procedure.js';
import { openTestSite, type TestSite, type TestSiteOptions } from '../../../src/testing.js';

const noon = '2026-11-24T12:00:00Z';
const every10 = { every: 10, everyUnit: 'secondly' } as const;

type Procedures = Readonly<Record<string, readonly [ProcedureFunction, ScheduleOptions]>>;

async function open(t: Test, procedures: Procedures, options: TestSiteOptions = {}): Promise<TestSite> {
  const procedureList = new ChoiceList<Procedure>();
  for (const [name, [func, schedule]] of Object.entries(procedures)) {
    procedureList.add(new Procedure(name, func, schedule, 'test'));
  }
  const site = await openTestSite({ now: noon, procedureList, ...options });
  t.teardown(() => site.close());
  return site;
}

t.test('advance runs due rules on the way, each at its time', async (t) => {
  const seen: string[] = [];
  const note: ProcedureFunction = (ar) => seen.push(`${ar.now().toISOString().slice(11, 19)}`);
  const site = await open(t, { tick: [note, every10], daily: [note, { startDatetime: 'T12:00:15' }] });
  const jobs = await site.advance(25_000);
  t.same(seen, ['12:00:10', '12:00:15', '12:00:20']);
  t.match(jobs, [
    { procedure: 'tick', status: 'done', dueAt: new Date('2026-11-24T12:00:10Z') },
    { procedure: 'daily', status: 'done' },
    { procedure: 'tick', status: 'done' },
  ]);
  t.equal(site.clock.now(), Date.parse('2026-11-24T12:00:25Z'));
});

t.test('a month of a daily rule takes no time, across a clock change', async (t) => {
  const hours: string[] = [];
  const schedule = { startDatetime: 'T20:00:00', timezone: 'Europe/Tallinn' };
  const site = await open(
    t,
    { daily: [(ar) => hours.push(ar.now().toISOString().slice(11, 16)), schedule] },
    {
      now: '2026-10-01T00:00:00Z',
    },
  );
  t.equal((await site.advanceTo('2026-11-01T00:00:00Z')).length, 31);
  t.same(new Set(hours.slice(0, 24)), new Set(['17:00']));
  t.same(new Set(hours.slice(24)), new Set(['18:00']));
});

t.test('drain runs requests and what follows from them', async (t) => {
  const seen: unknown[] = [];
  const site = await open(t, {
    first: [(ar) => ar.requestRun('second', { of: ar.jobId }), { everyUnit: 'yearly' }],
    second: [(ar) => seen.push(ar.args), { everyUnit: 'yearly' }],
    third: [() => seen.push('third'), { runAfter: 'second' }],
  });
  const job = await site.run('first');
  t.match(job, { status: 'done', id: 1 });
  t.same(seen, [{ of: 1 }, 'third']);
  t.same(await site.drain(), []);
});

t.test('a failed run is tried again when the clock has moved on', async (t) => {
  const options = { everyUnit: 'yearly', onFailure: 'retry', retries: 2, retryDelaySeconds: 10 } as const;
  let tries = 0;
  const fails: ProcedureFunction = () => {
    tries++;
    throw new Error('no');
  };
  const site = await open(t, { fails: [fails, options] });
  t.match(await site.run('fails'), { status: 'failed' });
  t.equal(tries, 1);
  t.match(await site.advance(60_000), [{ attempt: 2 }, { attempt: 3 }]);
  t.ok((await site.rules.get(1)).cancelled);
  t.ok(site.records.some(({ level, message }) => level === 'WARNING' && message.includes('attempt 2 of 3')));
});

t.test('wouldRun lists upcoming runs, and runs nothing', async (t) => {
  let runs = 0;
  const site = await open(t, {
    evening: [() => runs++, { startDatetime: 'T20:00:00' }],
    often: [() => runs++, { every: 6, everyUnit: 'hourly' }],
  });
  t.same(await site.wouldRun('2026-11-25T00:00:00Z'), [
    { rule: 'often', at: new Date('2026-11-24T18:00:00Z') },
    { rule: 'evening', at: new Date('2026-11-24T20:00:00Z') },
    { rule: 'often', at: new Date('2026-11-25T00:00:00Z') },
  ]);
  t.equal(runs, 0);
  await t.rejects(site.wouldRun('2046-01-01T00:00:00Z'), { code: 'LINOD_ERR_USAGE', message: /10000/ });
});

t.test('invalid arguments are refused with a message', async (t) => {
  const site = await open(t, { one: [() => undefined, every10] });
  await t.rejects(site.advanceTo('2026-11-24T11:00:00Z'), {
    code: 'LINOD_ERR_USAGE',
    message: /cannot go back/,
  });
  await t.rejects(site.advanceTo('2026-11-25T11:00'), { code: 'LINOD_ERR_USAGE', message: /with an offset/ });
  await t.rejects(site.advance(-1), { code: 'LINOD_ERR_USAGE', message: /at least 0, got: -1$/ });
  await t.rejects(site.run('two'), { code: 'LINOD_ERR_UNKNOWN_RULE', message: /got: "two"/ });
  await t.rejects(openTestSite({ now: 'noon' }), { code: 'LINOD_ERR_USAGE' });
});

t.test('runs that request themselves without an end are an error', async (t) => {
  const site = await open(t, {
    again: [(ar) => ar.requestRun('again'), { everyUnit: 'yearly', overlap: 'allow' }],
  });
  await t.rejects(site.run('again'), { code: 'LINOD_ERR_NEVER_DONE' });
});

t.test('close ends all runs, and leaves no file', async (t) => {
  const site = await open(t, { hangs: [() => new Promise(() => undefined), every10] });
  site.clock.advance(10_000);
  await site.tasks.run();
  t.equal(site.tasks.running.length, 1);
  await site.close();
  t.equal(existsSync(site.site.directory), false);
  await site.close();
});

t.test('a run stays in the process of the test, whatever its rule says', async (t) => {
  const seen: number[] = [];
  const site = await open(t, { far: [() => seen.push(process.pid), { ...every10, runIn: 'process' }] });
  t.match(await site.advance(10_000), [{ status: 'done' }]);
  t.same(seen, [process.pid]);
});
