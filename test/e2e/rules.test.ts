// Job rules are run, changed, cancelled and stopped while a worker is at work.

import { rmSync } from 'node:fs';
import t from 'tap';
import { LiveSite, onBothLayers } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

const garden = `import { type BaseRequest, scheduleOften } from 'linod';
scheduleOften({ every: 3600 }, async function water_plants(ar: BaseRequest) {
  ar.info('the plants have been watered', { by: ar.user !== null, with: ar.args });
});
scheduleOften({ every: 3600 }, async function feed_dragon(ar: BaseRequest) {
  ar.info('looking for the dragon');
  throw new Error('there is no dragon');
});
scheduleOften({ every: 3600 }, async function watch_grass(ar: BaseRequest) {
  ar.progress(1, 4, 'it grows');
  await new Promise((resolve) => ar.signal.addEventListener('abort', resolve));
});
`;
const [water, feed, watch] = ['1', '2', '3'];

onBothLayers('each run that is asked for is run once', async (t, { config }) => {
  const site = new LiveSite(t, { ...config, files: { 'procedures/garden.ts': garden } });
  await site.startWorker('--initiate');
  for (let n = 1; n <= 5; n++)
    t.match(await site.linod('rule', water, 'run'), `request ${n}: run Job rule #1`);
  await site.untilJobs('water_plants', 'all ran', (jobs) => jobs.filter(is('done')).length === 5);
  const { db } = await site.store();
  const requests = await db
    .selectFrom('job_requests')
    .innerJoin('jobs', 'jobs.request_id', 'job_requests.id')
    .select('job_requests.id')
    .execute();
  t.same(new Set(requests.map(({ id }) => id)), new Set([1, 2, 3, 4, 5]));
});

t.test('with --wait a run tells how it ended', async (t) => {
  const site = new LiveSite(t, { files: { 'procedures/garden.ts': garden } });
  await site.startWorker('--initiate');
  t.match(await site.run('linod', 'rule', water, 'run', '--wait'), {
    code: 0,
    stdout: /^job 1 done: done in \d+(\.\d+)? m?s\n$/,
    stderr: /^$/,
  });
  t.match(await site.run('linod', 'rule', 'feed_dragon', 'run', '--wait'), {
    code: 1,
    stdout: /^job 2 failed: Error: there is no dragon\n {4}at /,
    stderr: /^$/,
  });
  t.match(
    await site.linod(),
    /^Job rule #2 <Procedures\.feed_dragon every 3600 secondly> cancelled at \S+, failed: Error: there is no dragon \(job 2\); resume it with `linod rule 2 resume`$/m,
  );
  const job = await site.linod('job', '2');
  t.match(job, 'Job 2 of rule #2 <Procedures.feed_dragon>: failed');
  t.match(job, /INFO looking for the dragon\n/);
  t.match(job, /garden\.ts:\d+:\d+/, 'the place of the error can be found');
  t.match(await site.linod('rule', feed, 'resume'), /every 3600 secondly> next run at: /);

  await site.linod('rule', water, 'run', '--args', '{"litres":2}', '--wait');
  t.match(await site.linod('job', '3'), /watered \{.*"with":\{"litres":2\}/);
});

t.test('what is changed on a rule takes effect while the worker runs', async (t) => {
  const site = new LiveSite(t, { files: { 'procedures/garden.ts': garden } });
  await site.startWorker('--initiate');
  t.match(
    await site.linod('rule', water, 'set', 'every=1', 'name=rain'),
    / every 1 secondly> .*\n {2}name: water_plants → rain, every: suggested → 1\n$/,
  );
  t.match(await site.linod('rule', 'rain'), /every +1 {2}\(overridden; suggested: 3600\)/);
  await site.untilJobs('water_plants', 'they come', (jobs) => jobs.filter(is('done')).length >= 2);

  t.match(await site.linod('rule', water, 'cancel'), /cancelled at \S+, by /);
  const cancelledAt = Date.now();
  await site.untilJobs('water_plants', 'the last one is done', (jobs) => jobs.every(is('done')));
  await eventually('two due times have passed', () => Date.now() > cancelledAt + 2000);
  const { length } = await site.jobs('water_plants');
  t.ok((await site.jobs('water_plants')).every((job) => job.startDatetime.getTime() <= cancelledAt));

  t.match(await site.linod('rule', water, 'resume'), /every 1 secondly> .*next run at: /);
  await site.untilJobs('water_plants', 'they come again', (jobs) => jobs.length > length);
  t.match(
    await site.linod('rule', water, 'set', 'every='),
    / every 3600 secondly> .*\n {2}every: 1 → suggested\n$/,
  );
  const { db } = await site.store();
  const ledger = await db
    .selectFrom('decisions')
    .select('reason')
    .where('rule_id', '=', 1)
    .where('reason', 'in', ['edited', 'cancelled', 'resumed'])
    .orderBy('id')
    .execute();
  const reasons = ledger.map(({ reason }) => reason);
  t.same(reasons, ['edited', 'cancelled', 'resumed', 'edited'], 'the ledger knows of each');
});

t.test(
  'a rule is told when in words, tells it in words, and lists its times over a clock change',
  async (t) => {
    const site = new LiveSite(t, { timezone: 'Europe/Brussels', files: { 'procedures/garden.ts': garden } });
    await site.linod('rules', 'sync');
    const set = await site.linod(
      'rule',
      water,
      'set',
      'when',
      'every',
      'day',
      'at',
      '2:30',
      'from',
      '2030-01-01,',
      'missing',
      'times',
      'skipped',
    );
    t.match(
      set,
      /^Job rule #1 <Procedures\.water_plants every 1 daily> next run at: 2030-01-01T02:30:00\+01:00\n {2}.*missingTime: suggested → skipped\n$/,
    );
    const shown = await site.linod('rule', water);
    t.match(
      shown,
      /when +every day at 02:30 in Europe\/Brussels from 1 January 2030, missing times skipped\n/,
    );
    t.match(shown, /missingTime +skipped {2}\(overridden; suggested: none\)\n/);
    t.match(await site.linod('rules'), /1 +water_plants .* every day at 02:30, missing times skipped\n/);

    const times = (await site.linod('rule', water, 'next', '--count', '400')).trimEnd().split('\n');
    t.equal(times.length, 400);
    t.same(
      times.filter((line) => line.includes('clocks') || line.includes('twice')),
      [
        '2030-03-31T02:30:00        skipped: the clocks skip 02:30',
        '2030-04-01T02:30:00+02:00  the clocks went forward by 1 h',
        '2030-10-27T02:30:00+02:00  02:30 comes twice: the first time',
        '2030-10-28T02:30:00+01:00  the clocks went back by 1 h',
      ],
    );
    const [first] = JSON.parse(
      await site.linod('rule', water, 'next', '--count', '1', '--json'),
    ) as unknown[];
    t.same(first, {
      at: '2030-01-01T01:30:00.000Z',
      local: '2030-01-01T02:30:00+01:00',
      wall: '2030-01-01T02:30:00',
      note: null,
      clockChangeMinutes: 0,
      excludedBy: null,
      instead: null,
      times: 1,
      lastWall: '2030-01-01T02:30:00',
      jitterSeconds: 0,
    });
    await site.linod('rule', water, 'set', 'excluded=01-02..01-04');
    t.same((await site.linod('rule', water, 'next', '--count', '3')).trimEnd().split('\n'), [
      '2030-01-01T02:30:00+01:00',
      '2030-01-02T02:30:00        skipped with 2 more, up to 2030-01-04T02:30:00: excluded by 01-02..01-04',
      '2030-01-05T02:30:00+01:00',
    ]);
    const simulated = await site.linod('simulate', '--from', '2030-01-01', '--to', '2030-01-08');
    t.match(simulated, /^# .*\n1 +water_plants +4 +1 s +3\n/, 'four runs, three times skipped');
    t.match(simulated, /\nfrom +2030-01-01T00:00:00\+01:00 to 2030-01-08T00:00:00\+01:00, 10 slots\n/);
    t.equal(
      await site.linod('simulate', '--from', '2030-01-01', '--to', '7 d'),
      simulated,
      'a length of time',
    );

    t.match(
      await site.linod('rule', water, 'set', 'cron=0 4 * * mon-fri'),
      /^Job rule #1 <.* cron 0 4 \* \* mon-fri> next run at: /,
    );
    t.match(await site.run('linod', 'rule', water, 'set', 'when', 'every', '2', 'weks'), {
      code: 2,
      stdout: '',
      stderr:
        /expected a unit such as .*, got: "weks", at character 9 of words "every 2 weks", did you mean "weeks"\?\n$/,
    });
    t.match(
      await site.linod('rule', water, 'set', 'when='),
      /^Job rule #1 <Procedures\.water_plants every 3600 secondly> /,
    );
  },
);

t.test('a run that goes on can be watched and stopped', async (t) => {
  const site = new LiveSite(t, { files: { 'procedures/garden.ts': garden } });
  await site.startWorker('--initiate');
  await site.linod('rule', watch, 'run');
  await site.untilJobs('watch_grass', 'it tells its progress', (jobs) =>
    jobs.some((job) => job.progress !== null),
  );
  t.match(await site.linod(), /#3 <.*> running since \S+ \(job 1\), next run at: /);
  t.match(await site.linod('job', '1'), 'progress 1 of 4 (25 %) it grows');
  t.match(await site.linod('jobs'), /1 +#3 +watch_grass .* running +1 of 4 \(25 %\) it grows/);
  t.match(
    await site.linod('rule', watch, 'stop'),
    /^request 2: stop Job rule #3 .*\njob 1 is asked to end\n/,
  );
  const jobs = await site.untilJobs('watch_grass', 'it has ended', (all) => !all.some(is('running')));
  t.match(jobs, [{ status: 'cancelled', message: /^cancelled by .*; it ended by itself$/ }]);
  t.match(await site.linod('jobs', '--status', 'cancelled'), /watch_grass/);
});

t.test('who stops a rule or waits for its run hears why nothing happens', async (t) => {
  const site = new LiveSite(t, { files: { 'procedures/garden.ts': garden } });
  await site.linod('rules', 'sync');
  t.match(await site.run('linod', 'rule', water, 'run'), { stderr: /request 1 waits for one/ });
  t.match(await site.linod('rule', water, 'stop'), /^request 2: stop Job rule #1 .*\nnothing was running\n/);
  t.match(await site.linod('why', water), /request 1: withdrawn by /);
  const worker = await site.startWorker('--initiate');
  t.match(await site.linod('rule', water, 'stop'), /^request 3: stop Job rule #1 .*\nnothing was running\n/);
  t.same(await site.jobs('water_plants'), [], 'what was withdrawn does not run');
  site.write({
    'procedures/pond.ts': `import { scheduleDaily } from 'linod';
scheduleDaily({ hour: 4 }, function clean_pond() {});
`,
  });
  await site.linod('rules', 'sync');
  const waiting = site.start('linod', 'rule', 'clean_pond', 'run', '--wait');
  await waiting.printed(/waiting: no worker has the procedure clean_pond: restart /);
  worker.kill('SIGTERM');
  await worker.ended();
  await site.startWorker('--initiate');
  t.match(await waiting.ended(), { code: 0, stdout: /^job \d+ done: / });
});

t.test('rules follow the procedures from one start of the worker to the next', async (t) => {
  const site = new LiveSite(t, { files: { 'procedures/garden.ts': garden } });
  const restart = async () => {
    const worker = await site.startWorker('--initiate');
    worker.kill('SIGTERM');
    t.match(await worker.ended(), { code: 0 });
    return worker.lines.join('\n');
  };
  t.match(await restart(), 'rules created: water_plants, feed_dragon, watch_grass');
  await site.linod('rule', water, 'set', 'every=60');

  site.write({
    'procedures/garden.ts': garden.replaceAll('3600', '1800'),
    'procedures/pond.ts': `import { scheduleDaily } from 'linod';
scheduleDaily({ hour: 4 }, function clean_pond() {});
`,
  });
  t.match(await restart(), 'rules created: clean_pond');
  const rules = await site.linod('rules');
  t.match(rules, /1 {2}water_plants +water_plants +60 secondly/, 'what a person has set stays');
  t.match(rules, /2 {2}feed_dragon +feed_dragon +1800 secondly/, 'what the procedure suggests is new');
  t.match(rules, /4 {2}clean_pond +clean_pond +1 daily +\S+T04:00:00\+00:00/);

  rmSync(site.path('procedures/pond.ts'));
  t.match(await restart(), 'rules removed: clean_pond');
  t.notMatch(await site.linod('rules'), 'clean_pond');
  t.match(await site.linod('rules', '--all'), /clean_pond .* never: its procedure is gone/);
});

function is(status: string): (job: { status: string }) => boolean {
  return (job) => job.status === status;
}
