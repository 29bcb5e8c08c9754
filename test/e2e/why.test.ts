// linod why: the story of a rule, told also while no worker runs.

import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

const files = {
  'procedures/garden.ts': `import { scheduleOften } from 'linod';
scheduleOften({ every: 1 }, function water_plants() {});
`,
};

t.test('linod why tells what ran, since when no worker does, and what was made up for', async (t) => {
  const site = new LiveSite(t, { files });
  const first = await site.startWorker('--initiate');
  await site.untilJobs(
    'water_plants',
    'two are done',
    (jobs) => jobs.filter(({ status }) => status === 'done').length >= 2,
  );
  t.match(
    await site.linod('why', '1'),
    /^Job rule #1 <Procedures\.water_plants every 1 secondly>\nevery second[^\n]*\n\n(\S+ {2}[^\n]+\n)*\S+ {2}run on time; job \d+ (was done after \S+ m?s|has been running since \S+, on worker \S+)\n\n(job \d+ has been running since [^\n]+\n)?(\S+ {2}due\n){5}$/,
  );

  first.kill('SIGKILL');
  await first.ended();
  await eventually('some due times have passed', async () =>
    / \d due times have passed/.test(await site.linod('why', '1')),
  );
  const off = await site.linod('why', '1');
  t.match(
    off,
    /\ndue since \S+: \d+ due times have passed; one run will make up for them as soon as possible\n/,
  );
  t.match(
    off,
    new RegExp(
      `\\nno worker has run since \\S+: \\S+\\[${first.pid}\\]\\S+ sent its last heartbeat \\(its process ${first.pid} is gone\\); start one: runworker linod_test\\n`,
    ),
  );

  const second = await site.startWorker('--initiate');
  const { db } = await site.store();
  const late = async () =>
    await db
      .selectFrom('decisions')
      .selectAll()
      .where('reason', '=', 'late')
      .orderBy('id')
      .executeTakeFirst();
  await eventually('the run that makes up is told', async () => (await late()) !== undefined);
  const entry = await late();
  const at = new Date(entry?.due_at ?? 0).toISOString();
  const told = await site.linod('why', '1', '--at', at);
  t.match(told, /\n {2}run late, by .*: no worker ran the rules then; job \d+ (was done|goes on)/);
  t.match(
    told,
    new RegExp(
      `\\n {2}no worker ran from .* sent its last heartbeat \\(.*\\), until .*, when \\S+\\[${second.pid}\\]\\S+ started\\n`,
    ),
  );
  t.match(
    await site.linod('why', '1', '--since', at),
    /\n\S+ {2}(\d+|one) due times?( up to \S+)? passed meanwhile: job \d+ made up for (it|them)\n/,
  );
  t.match(JSON.parse(await site.linod('why', '1', '--at', at, '--json')), {
    rule: { id: 1 },
    dueAt: at,
    entries: [{ reason: 'late', job: { id: Number } }],
  });

  second.kill('SIGTERM');
  t.match(await second.ended(), { code: 0 });
  t.match(
    await site.linod('why', '1', '--since', '2099-01-01'),
    '\n\nnothing has happened since 2099-01-01\n\n',
    'and not that it never has',
  );
  t.match(
    await site.linod('jobs', '--rule', 'water_plants', '--limit', '1'),
    /#1 {2}water_plants/,
    'by its name as well',
  );
  site.environment = { LINOD_USE_LINOD: 'false' };
  t.match(await site.run('runworker', 'linod_test'), { code: 0, stderr: /is switched off/ });
  const switchedOff = await site.run('linod', 'why', '1');
  t.match(switchedOff, { code: 0, stderr: /^linod is switched off for site test: / });
  t.match(switchedOff.stdout, '\nlinod is switched off for this site (useLinod is false): nothing runs\n');

  site.environment = {};
  await site.startWorker('--initiate');
  t.notMatch(await site.linod('why', '1'), 'switched off for this site');
});

t.test('wrong words are told', async (t) => {
  const site = new LiveSite(t, { files });
  await site.linod('rules', 'sync');
  t.match(await site.run('linod', 'why', '9'), { code: 2, stderr: 'linod: no job rule 9; there are 1\n' });
  t.match(await site.run('linod', 'why', '1', '--at', 'noon'), {
    code: 2,
    stderr: /^linod: expected --at to be /,
  });
  for (const flag of ['--since', '--limit']) {
    t.match(await site.run('linod', 'why', '1', '--at', '20:00', flag, '1'), {
      code: 2,
      stderr: `error: option '--at <time>' cannot be used with option '${flag} <`,
    });
  }
  t.match(await site.run('linod', 'why', '1'), { code: 0, stdout: /\nnothing has happened yet\n\n/ });
});
