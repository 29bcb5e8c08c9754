// Rules are changed while a worker is at work: in the database itself, back and forth, and by a file.

import Database from 'better-sqlite3';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';

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
  database.exec("update job_rules set every = 'often' where id = 2");
  await site.logged(
    /job rule 2 was changed in the database: every: suggested → often; it cannot be run so: expected every to be a number, got: "often"/,
  );
  database.exec(
    "update job_rules set every = 1, every_unit = 'secondly', start_datetime = '2026-01-01T00:00:00' where id = 1",
  );
  await site.untilJobs('water_plants', 'it runs every second', (jobs) => jobs.length > 0);
  t.match(
    await site.linod(),
    /#2 <.*> cancelled at \S+, failed: expected every to be a number, got: "often"; /,
  );

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
