// Rules are changed while a worker is at work: in the database itself, back and forth, and by a file.

import Database from 'better-sqlite3';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

const files = {
  'procedures/garden.ts': `import { scheduleDaily } from 'linod';
scheduleDaily({ hour: 4 }, function water_plants() {});
scheduleDaily({ hour: 5 }, function feed_dragon() {});
`,
};

t.test('what is changed in the database is live without a restart, told, and can be undone', async (t) => {
  const site = new LiveSite(t, { files });
  await site.startWorker('--initiate');
  // As any other program with the file open.
  const database = new Database(site.path('linod.db'));
  t.teardown(() => database.close());
  t.throws(() => database.exec("update job_rules set every = 'often' where id = 2"), /cannot store TEXT/);
  database.exec("update job_rules set every_unit = 'often' where id = 2");
  await site.logged(
    /job rule 2 was changed in the database: everyUnit: suggested → often; it cannot be run so: expected everyUnit to be .*"often"/,
  );
  database.exec(
    "update job_rules set every = 1, every_unit = 'secondly', start_datetime = '2026-01-01T00:00:00' where id = 1",
  );
  await site.untilJobs('water_plants', 'it runs every second', (jobs) => jobs.length > 0);
  t.match(await site.linod(), /#2 <.*> cancelled at \S+, failed: expected everyUnit to be .*"often".*; /);

  t.match(
    await site.linod('rule', '1', 'undo'),
    /^Job rule #1 <Procedures\.water_plants every 1 daily> next run at: \S+T04:00:00/,
  );
  t.match(
    await site.linod('rule', '1', 'history'),
    /^change +when +who +how +what\n +0 .* sync +created as water_plants\n +1 .* somebody +database +every: suggested → 1, everyUnit: suggested → secondly, startDatetime: .*\n +2 .* undo +every: 1 → suggested, /,
  );
  const history = JSON.parse(await site.linod('rule', '1', 'history', '--json')) as unknown[];
  t.match(history, [
    {
      rule: 1,
      revision: 0,
      how: 'sync',
      changes: [{ field: 'created', before: null, after: 'water_plants' }],
    },
    {
      revision: 1,
      by: 'somebody',
      how: 'database',
      changes: [{ field: 'every', before: null, after: 1 }, {}, {}],
    },
    { revision: 2, how: 'undo' },
  ]);
  t.match(await site.run('linod', 'rule', '1', 'undo', '7'), {
    code: 2,
    stderr: 'linod: there is no change of job rule 1 from 7 on that can be undone; there are 1, 2\n',
  });
  t.match(await site.run('linod', 'rule', '1', 'undo', '1', '2'), {
    code: 2,
    stderr: 'linod: undo takes no further words, got: 2\n',
  });
});

t.test('rules are carried over by a file, which a worker follows without a restart', async (t) => {
  const site = new LiveSite(t, { files });
  await site.startWorker('--initiate');
  await site.linod('rule', '1', 'set', 'every=2');
  const file = await site.linod('rules', 'export');
  site.write({ 'rules.json': file });
  t.match(await site.run('linod', 'rules', 'plan', 'rules.json'), {
    code: 0,
    stdout: '',
    stderr: 'nothing to change; 2 as in the file\n',
  });
  const changed = {
    version: 1,
    rules: [
      { name: 'water_plants', overrides: { everyUnit: 'secondly', startDatetime: '2026-01-01T00:00:00' } },
    ],
  };
  site.write({ 'rules.json': JSON.stringify(changed) });
  const planned = await site.run('linod', 'rules', 'plan', 'rules.json');
  t.match(planned, {
    code: 3,
    stdout:
      /^~ #1 water_plants: every: 2 → suggested, everyUnit: suggested → secondly, startDatetime: suggested → 2026-01-01T00:00:00; next run at: \S+\n$/,
    stderr: /^1 rule would change; not in the file: feed_dragon; plan [0-9a-f]{12}\n$/,
  });
  const digest = planned.stderr.trim().split(' ').at(-1) ?? '';
  t.match(await site.run('linod', 'rules', 'apply', 'rules.json', '--plan', '0123456789ab'), {
    code: 1,
    stdout: '',
    stderr: `linod: the rules or the file have changed since plan 0123456789ab was made: now it is plan ${digest}; nothing was applied, look at it with linod rules plan\n`,
  });
  t.match(await site.run('linod', 'rules', 'apply', 'rules.json', '--plan', digest), {
    code: 0,
    stdout: planned.stdout.split('; next run at')[0] ?? '',
    stderr: `1 rule changed; not in the file: feed_dragon; plan ${digest}\n`,
  });
  await eventually('it runs every second', async () => (await site.jobs('water_plants')).length > 1);
  site.write({ 'rules.json': JSON.stringify({ version: 1, rules: [{ name: 'water', overrides: {} }] }) });
  t.match(await site.run('linod', 'rules', 'apply', 'rules.json'), {
    code: 2,
    stderr:
      /^linod: rules\.json: rules\[0\] \(water\): there is no rule of this name, and no procedure "water"/,
  });
  t.match(await site.run('linod', 'rules', 'plan', 'none.json'), {
    code: 2,
    stderr: /^linod: cannot read the file of rules "none\.json": ENOENT/,
  });
});
